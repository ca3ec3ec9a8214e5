import type {
  KeyspaceInput,
  NodeInput,
  StoreConfigurationInput,
} from "../../core/model/configuration-types.ts";
import { UsageError } from "../usage-error.ts";
import { pathOutsideJson } from "./path-outside-json.ts";

export const LOCAL_HOST = "127.0.0.1";
const MOST_REPLICAS = 5;
const DEFAULT_NODES = 3;
const LAST_PORT = 65_535;
const DEFAULT_PEER_PORT = 7401;
const NATS = "nats";
/** One of each kind, to try: what a configuration says takes the place of all of them. */
const DEFAULT_KEYSPACES: { readonly [name: string]: KeyspaceInput } = Object.freeze({
  default: Object.freeze({ strategy: "tunable" }),
  accounts: Object.freeze({ strategy: "raft" }),
  carts: Object.freeze({ strategy: "dynamo", resolver: "or-set" }),
  notes: Object.freeze({ strategy: "dynamo", resolver: "version-vector" }),
  counters: Object.freeze({ strategy: "dynamo", resolver: "pn-counter" }),
});

export interface ClusterWishes {
  /** Default: as many as the configuration names, else 3. */
  readonly nodes: number | undefined;
  readonly transport: string | undefined;
  readonly storage: string | undefined;
  /** Where storage `disk` keeps its data, unless the configuration says otherwise. */
  readonly dataFolder: string;
  readonly httpPort: number;
  /** Default: 7401. */
  readonly peerPort?: number | undefined;
  /** Of a NATS server that runs already. */
  readonly natsUrl?: string | undefined;
}

export interface PlannedNode {
  readonly id: string;
  readonly httpPort: number;
  /** None where nodes reach each other without addresses of their own. */
  readonly peerPort?: number;
}

export interface ClusterPlan {
  readonly nodes: readonly PlannedNode[];
  /** What every node of it is started with: JSON alone. */
  readonly configuration: StoreConfigurationInput & {
    readonly keyspaces: { readonly [name: string]: KeyspaceInput };
  };
  /** What was done to the given configuration, for people. */
  readonly notices: readonly string[];
  /** The transport is to find a NATS server, and nobody said where. */
  readonly needsNatsServer: boolean;
}

/**
 * A cluster on this machine with everything that the given configuration says, but its nodes: those
 * are n1, n2, … on loopback, so that the configuration of any other place can be tried here.
 */
export function planCluster(
  wishes: ClusterWishes,
  given: StoreConfigurationInput = {},
): ClusterPlan {
  const stranger = pathOutsideJson(given);
  if (stranger !== undefined) {
    throw new UsageError(
      `${stranger} of the configuration is nothing that JSON can hold; \`capstan cluster\` hands ` +
        "its nodes a JSON file. Leave it out here, or embed the store with openStore().",
    );
  }
  const named = namesOf(given.cluster?.nodes);
  const transport = planTransport(wishes, given.transport);
  const isAddressed = transport.type !== NATS;
  const count = wishes.nodes ?? (named.length || DEFAULT_NODES);
  const nodes = planNodes(wishes, count, isAddressed);
  if (transport.type === "memory" && nodes.length > 1) {
    throw new UsageError(
      "Transport memory connects nodes within one process, and these are processes of their own; " +
        "take --transport tcp or --transport nats.",
    );
  }
  const { http, ...rest } = given;
  const configuration = {
    ...rest,
    ...withoutTls(http),
    cluster: { name: "local", ...given.cluster, nodes: nodeInputs(nodes) },
    transport,
    storage: storageOf(wishes, given.storage),
    keyspaces: withReplicas(given.keyspaces ?? DEFAULT_KEYSPACES, nodes.length),
  };
  const moved = `The ${named.length} nodes of the configuration become n1 to n${nodes.length} here.`;
  return {
    nodes,
    configuration,
    notices: [
      ...(isSame(named, nodes) ? [] : [moved]),
      ...(http?.tls === undefined ? [] : [WITHOUT_TLS]),
    ],
    needsNatsServer: !isAddressed && transport.servers === undefined,
  };
}

const WITHOUT_TLS =
  "http.tls of the configuration is left out: these nodes serve HTTP on loopback alone, without TLS.";

/** Names of hosts, of which certificates are, are not those of this machine. */
function withoutTls(http: StoreConfigurationInput["http"]): Pick<StoreConfigurationInput, "http"> {
  if (http?.tls === undefined) return http === undefined ? {} : { http };
  const { tls: _tls, ...left } = http;
  return Object.keys(left).length === 0 ? {} : { http: left };
}

/** The same plan, its nodes connected with the NATS server at `url`. */
export function withNatsServer(plan: ClusterPlan, url: string): ClusterPlan {
  const { configuration } = plan;
  const transport = { type: NATS, ...configuration.transport, servers: url };
  return { ...plan, configuration: { ...configuration, transport }, needsNatsServer: false };
}

function planTransport(
  { transport: wish, natsUrl, peerPort }: ClusterWishes,
  given: StoreConfigurationInput["transport"],
): { readonly type: string; readonly [option: string]: unknown } {
  const transport = typed(wish, given, "tcp");
  if (transport.type !== NATS) {
    if (natsUrl === undefined) return transport;
    throw new UsageError(`--nats-url goes with --transport nats, and this is ${transport.type}.`);
  }
  if (peerPort !== undefined) {
    throw new UsageError(
      "--peer-port has no meaning with transport nats: no node listens for peers.",
    );
  }
  return natsUrl === undefined ? transport : { ...transport, servers: natsUrl };
}

function planNodes(
  { httpPort, peerPort = DEFAULT_PEER_PORT }: ClusterWishes,
  count: number,
  isAddressed: boolean,
): PlannedNode[] {
  const ranges = [["--http-port", httpPort] as const, ["--peer-port", peerPort] as const];
  for (const [option, first] of isAddressed ? ranges : ranges.slice(0, 1)) {
    if (first + count - 1 > LAST_PORT) {
      throw new UsageError(
        `${count} nodes from ${option} ${first} on need ports beyond ${LAST_PORT}.`,
      );
    }
  }
  if (isAddressed && Math.abs(httpPort - peerPort) < count) {
    throw new UsageError(
      `--http-port ${httpPort} and --peer-port ${peerPort} lie too close for ${count} nodes: ` +
        `their ports would overlap.`,
    );
  }
  return Array.from({ length: count }, (_, index) => ({
    id: `n${index + 1}`,
    httpPort: httpPort + index,
    ...(isAddressed ? { peerPort: peerPort + index } : {}),
  }));
}

function nodeInputs(nodes: readonly PlannedNode[]): Record<string, NodeInput> {
  return Object.fromEntries(
    nodes.map(({ id, httpPort, peerPort }) => [
      id,
      {
        ...(peerPort === undefined ? {} : { peer: `${LOCAL_HOST}:${peerPort}` }),
        http: `${LOCAL_HOST}:${httpPort}`,
      },
    ]),
  );
}

/** The option's word before the configuration's, whose further fields belong to its own type. */
function typed(
  wish: string | undefined,
  given: StoreConfigurationInput["transport"],
  otherwise: string,
): { readonly type: string; readonly [option: string]: unknown } {
  if (given !== undefined && (wish === undefined || wish === given.type)) return given;
  return { type: wish ?? otherwise };
}

function storageOf(
  { storage, dataFolder }: ClusterWishes,
  given: StoreConfigurationInput["storage"],
): { readonly type: string; readonly [option: string]: unknown } {
  const chosen = typed(storage, given, "disk");
  return chosen.type === "disk" ? { ...chosen, path: chosen.path ?? dataFolder } : chosen;
}

function withReplicas(
  keyspaces: { readonly [name: string]: KeyspaceInput },
  nodeCount: number,
): { readonly [name: string]: KeyspaceInput } {
  const replicas = Math.min(nodeCount, MOST_REPLICAS);
  return Object.fromEntries(
    Object.entries(keyspaces).map(([name, keyspace]) => [
      name,
      // What is no keyspace at all stays as it is, for the configuration's check to refuse.
      typeof keyspace === "object" && keyspace !== null ? { replicas, ...keyspace } : keyspace,
    ]),
  );
}

function namesOf(nodes: NonNullable<StoreConfigurationInput["cluster"]>["nodes"]): string[] {
  if (nodes === undefined || nodes === null) return [];
  return isList(nodes) ? [...nodes] : Object.keys(nodes);
}

function isList(nodes: readonly string[] | object): nodes is readonly string[] {
  return Array.isArray(nodes);
}

function isSame(named: readonly string[], nodes: readonly PlannedNode[]): boolean {
  if (named.length === 0) return true;
  return named.length === nodes.length && nodes.every(({ id }) => named.includes(id));
}

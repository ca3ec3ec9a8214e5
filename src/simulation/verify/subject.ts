import type { Guarantee } from "../../core/contracts/strategy.ts";
import { resolveConfiguration } from "../../core/model/configuration.ts";
import type {
  ResolvedConfiguration,
  ResolvedKeyspace,
  ResolvedNode,
} from "../../core/model/configuration-types.ts";
import { CapstanError, isCapstanError } from "../../core/model/errors.ts";
import type { EmbeddedKeyspace, KeyspaceDescription } from "../../core/store/api.ts";
import { separatePlugIns } from "../../core/store/handed-over.ts";
import { checkingSchemaOf } from "../../core/store/value-schema.ts";
import type { ConnectionMode } from "../network-conditions.ts";
import { SimWorld } from "../sim-world.ts";
import { type KeyspaceUse, useOf } from "./keyspace-use.ts";
import { countOf, type LevelPair } from "./promised-checks.ts";
import { drawsFor, type ValueSource } from "./value-source.ts";

/** More nodes than this are not simulated: a run of as many shows the same, and takes minutes. */
export const MAX_NODES = 7;

const OPENING_MS = 60_000;

/** One keyspace of a user's configuration, and what it says of the world around it. */
export interface Subject {
  readonly keyspace: ResolvedKeyspace;
  readonly resolved: ResolvedConfiguration;
  /** At most `MAX_NODES` of those of the configuration. */
  readonly nodes: readonly string[];
  /** Of each of these nodes, where they are in more than one. */
  readonly datacenters: Readonly<Record<string, string>> | undefined;
  /** Copies of each key: no more than there are nodes. */
  readonly replicas: number;
  readonly storage: "disk" | "memory";
  readonly connections: ConnectionMode;
  readonly partitionPolicy: "prefer-consistency" | "prefer-availability";
  readonly description: KeyspaceDescription;
  readonly guarantees: readonly Guarantee[];
  /** Whether writes take conditions (`ifVersion`, `ifAbsent`). */
  readonly conditional: boolean;
  /** The levels of calls that name none. */
  readonly defaults: LevelPair;
  /** All levels that it offers and can meet. */
  readonly pairs: readonly LevelPair[];
  readonly values: ValueSource;
  readonly use: KeyspaceUse;
  /** What the simulated nodes are opened with: this keyspace alone. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

/** Names of the keyspaces that the configuration declares. */
export function keyspaceNamesOf(configuration: object): readonly string[] {
  const { plain } = separatePlugIns(configuration);
  return resolveConfiguration(plain).keyspaces.map(({ name }) => name);
}

/**
 * Opens the keyspace once, to learn what it offers.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` as `openStore` does, `UNKNOWN_KEYSPACE`.
 */
export async function inspectSubject(
  configuration: Readonly<Record<string, unknown>>,
  name: string,
): Promise<Subject> {
  const resolved = resolveConfiguration(separatePlugIns(configuration).plain);
  const keyspace = resolved.keyspaces.find((each) => each.name === name);
  if (keyspace === undefined) throw unknownKeyspace(name, resolved);
  const alone = onlyKeyspace(configuration, name);
  const simulated = simulatedOf(resolved.cluster.nodes);
  const nodes = simulated.map(({ id }) => id as string);
  const datacenters = datacentersOf(simulated);
  const storage = resolved.storage.type === "memory" ? "memory" : "disk";
  const { description, guarantees, conditional } = await describeOnce(name, {
    ...{ nodes, datacenters, storage, configuration: alone },
  });
  const replicas = Math.min(keyspace.replicas, nodes.length);
  const defaults = { write: description.writeDefault, read: description.readDefault };
  const values = await drawsFor(checkingSchemaOf(keyspace.schema, `keyspaces.${name}.schema`));
  return {
    ...{ keyspace, resolved, nodes, datacenters, replicas, storage, description, guarantees },
    ...{ defaults, values, conditional },
    use: useOf(keyspace),
    connections: resolved.transport.type === "nats" ? "server" : "pairs",
    partitionPolicy: policyOf(keyspace),
    pairs: pairsOf(description, replicas),
    // A schema that none of the drawn values passes would leave nothing to look at.
    configuration: values.isSchemaLeftOut ? withoutSchema(alone, name) : alone,
  };
}

/** The first ones; where there are too many, one of each datacenter after the other. */
function simulatedOf(nodes: readonly ResolvedNode[]): readonly ResolvedNode[] {
  const seen = new Map<string, number>();
  const placed = nodes.map((node) => {
    const round = seen.get(node.datacenter) ?? 0;
    seen.set(node.datacenter, round + 1);
    return { node, round };
  });
  const chosen = placed.toSorted((a, b) => a.round - b.round).slice(0, MAX_NODES);
  return nodes.filter((node) => chosen.some((each) => each.node === node));
}

function datacentersOf(nodes: readonly ResolvedNode[]): Subject["datacenters"] {
  const names = new Set(nodes.map(({ datacenter }) => datacenter));
  if (names.size < 2) return undefined;
  return Object.fromEntries(nodes.map(({ id, datacenter }) => [id, datacenter]));
}

/** Each level with itself; levels for reads alone with the default for writes; the defaults. */
function pairsOf(description: KeyspaceDescription, replicas: number): readonly LevelPair[] {
  const { readLevels, writeLevels, readDefault, writeDefault } = description;
  const offered = readLevels.filter((level) => {
    const isMet = !COUNTS.includes(level) || countOf(level, replicas) !== undefined;
    return isMet && !(level === "eventual" && readLevels.includes("one"));
  });
  const pairs = offered.map((read) =>
    writeLevels.includes(read) ? { write: read, read } : { write: writeDefault, read },
  );
  const isThere = pairs.some(({ write, read }) => write === writeDefault && read === readDefault);
  return isThere ? pairs : [{ write: writeDefault, read: readDefault }, ...pairs];
}

const COUNTS: readonly string[] = Object.freeze(["one", "two", "three", "quorum", "all"]);

async function describeOnce(
  name: string,
  options: {
    readonly nodes: readonly string[];
    readonly datacenters: Subject["datacenters"];
    readonly storage: "disk" | "memory";
    readonly configuration: Readonly<Record<string, unknown>>;
  },
): Promise<Pick<Subject, "description" | "guarantees" | "conditional">> {
  const world = new SimWorld({ seed: 1, ...options });
  const id = options.nodes[0] as string;
  const store = await world.driver.until(world.start(id), OPENING_MS);
  const description = store.describe().keyspaces.find((each) => each.name === name);
  if (description === undefined) throw new Error(`keyspace ${name} was not opened`);
  const guarantees = store.keyspace(name).guarantees();
  const conditional = await world.driver.until(takesConditions(store.keyspace(name)), OPENING_MS);
  world.crash(id);
  return { description, guarantees, conditional };
}

/** Asked with a key that no store takes, after it was looked whether conditions are: nothing is written. */
async function takesConditions(keyspace: EmbeddedKeyspace): Promise<boolean> {
  try {
    await keyspace.delete("", { ifAbsent: true });
    return true;
  } catch (error) {
    return !(isCapstanError(error) && error.code === "CONDITIONAL_UNSUPPORTED");
  }
}

function onlyKeyspace(
  configuration: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const { cluster: _cluster, transport: _transport, storage: _storage, ...rest } = configuration;
  const keyspaces = rest.keyspaces as Readonly<Record<string, unknown>> | undefined;
  return keyspaces === undefined ? rest : { ...rest, keyspaces: { [name]: keyspaces[name] } };
}

function withoutSchema(
  configuration: Readonly<Record<string, unknown>>,
  name: string,
): Readonly<Record<string, unknown>> {
  const keyspaces = configuration.keyspaces as Readonly<Record<string, object>>;
  return { ...configuration, keyspaces: { [name]: { ...keyspaces[name], schema: undefined } } };
}

function policyOf({ strategy, strategyOptions }: ResolvedKeyspace): Subject["partitionPolicy"] {
  const { partitionPolicy = strategy === "dynamo" ? "prefer-availability" : undefined } =
    strategyOptions;
  return String(partitionPolicy).replaceAll("_", "-") === "prefer-availability"
    ? "prefer-availability"
    : "prefer-consistency";
}

function unknownKeyspace(name: string, { keyspaces }: ResolvedConfiguration): CapstanError {
  const there = keyspaces.map((each) => each.name);
  return new CapstanError(
    "UNKNOWN_KEYSPACE",
    `there is no keyspace ${JSON.stringify(name)} in the configuration; it declares: ${there.join(", ")}`,
    { allowed: there },
  );
}

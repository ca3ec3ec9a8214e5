import { checkSection } from "./check-section.ts";
import { type ConfigurationProblems, describeValue, joinPath } from "./configuration-problems.ts";
import { NAME_SCHEMA, NODE_SCHEMA } from "./configuration-schema.ts";
import type { ResolvedNode } from "./configuration-types.ts";
import { DEFAULTS } from "./defaults.ts";
import { HTTP_REMEDIES, type HttpGuard, lackOf } from "./http-section.ts";
import type { NodeId } from "./ids.ts";
import { isPlainObject } from "./plain-object.ts";

const MAX_NODES = 1_000;
const NODES_ALLOWED = `a list of node ids, or an object with 1 to ${MAX_NODES} of them as names`;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;
const ADDRESS_ALLOWED = '"host:port" with a port from 1 to 65535, an IPv6 host in brackets';
const MAX_PORT = 65_535;
const PATH = "cluster.nodes";
const PEER_REMEDIES: readonly string[] = Object.freeze(["transport.tls", "insecure: true"]);

/** What makes up for an address that others can reach. */
export interface Exposure {
  readonly insecure: boolean;
  /** Peers talk over TLS. */
  readonly isEncrypted: boolean;
  /** What HTTP has of its own. */
  readonly http: HttpGuard;
}

/** The nodes of `cluster.nodes`, sorted by id; addresses are checked, each and among each other. */
export function resolveNodes(
  input: unknown,
  exposure: Exposure,
  problems: ConfigurationProblems,
): readonly ResolvedNode[] {
  const nodes = entriesOf(input, problems).map(([id, node]) => resolveNode(id, node, problems));
  checkAddresses(nodes, exposure, problems);
  return Object.freeze(nodes.sort((a, b) => (a.id < b.id ? -1 : 1)));
}

function entriesOf(
  input: unknown,
  problems: ConfigurationProblems,
): readonly (readonly [string, unknown])[] {
  if (input === undefined) return [[DEFAULTS.node.id, {}]];
  const entries = Array.isArray(input)
    ? namesOf(input, problems).map((id) => [id, {}] as const)
    : isPlainObject(input)
      ? Object.entries(input)
      : [];
  if (entries.length === 0 || entries.length > MAX_NODES) {
    problems.add({ path: PATH, value: input, allowed: [NODES_ALLOWED] });
    return [];
  }
  return entries;
}

function namesOf(list: readonly unknown[], problems: ConfigurationProblems): string[] {
  const names = new Set<string>();
  for (const [index, id] of list.entries()) {
    const path = joinPath(PATH, index);
    if (typeof id !== "string") {
      problems.add({ path, value: id, allowed: ["a node id"] });
    } else if (names.has(id)) {
      problems.add({ path, value: id, allowed: ["each node id once"], reason: `is ${id} again` });
    } else names.add(id);
  }
  return [...names];
}

function resolveNode(id: string, node: unknown, problems: ConfigurationProblems): ResolvedNode {
  const path = joinPath(PATH, id);
  for (const { message } of NAME_SCHEMA.safeParse(id).error?.issues ?? []) {
    const reason = `has a node named ${describeValue(id)}`;
    problems.add({ path: PATH, value: id, allowed: [message], reason });
  }
  const input = typeof node === "string" ? { peer: node } : node;
  const { peer, http, datacenter } = checkSection(NODE_SCHEMA, input, path, problems);
  return Object.freeze({
    id: id as NodeId,
    peer,
    http,
    datacenter: datacenter ?? DEFAULTS.node.datacenter,
  });
}

function checkAddresses(
  nodes: readonly ResolvedNode[],
  { insecure, isEncrypted, http }: Exposure,
  problems: ConfigurationProblems,
): void {
  const users = new Map<string, string>();
  for (const node of nodes) {
    for (const field of ["peer", "http"] as const) {
      const value = node[field];
      if (value === undefined) continue;
      const path = joinPath(PATH, node.id, field);
      const host = hostOf(value);
      if (host === undefined) {
        problems.add({ path, value, allowed: [ADDRESS_ALLOWED] });
        continue;
      }
      const user = users.get(value.toLowerCase());
      if (user !== undefined) {
        const reason = `is ${value}, which ${user} has already`;
        problems.add({ path, value, allowed: ["an address of its own"], reason });
      }
      users.set(value.toLowerCase(), path);
      if (insecure || isLoopback(host)) continue;
      const ofPeers = isEncrypted ? undefined : "there is no TLS";
      const lack = field === "peer" ? ofPeers : lackOf(http);
      if (lack !== undefined) {
        const reason = `is ${value}, which others can reach, and ${lack}`;
        const remedies = field === "peer" ? PEER_REMEDIES : HTTP_REMEDIES;
        problems.add({ path, value, allowed: ["a loopback address", ...remedies], reason });
      }
    }
  }
}

function hostOf(address: string): string | undefined {
  const [, host, port] = ADDRESS.exec(address) ?? [];
  const isPort = Number(port) >= 1 && Number(port) <= MAX_PORT;
  return isPort ? host?.toLowerCase() : undefined;
}

/** RFC 1122 §3.2.1.3, RFC 4291 §2.5.3, RFC 6761 §6.3. */
export function isLoopback(host: string): boolean {
  return (
    /^127(\.\d{1,3}){3}$/.test(host) ||
    host === "[::1]" ||
    host === "::1" ||
    host === "localhost" ||
    host.endsWith(".localhost")
  );
}

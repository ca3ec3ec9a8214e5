import type { StoreConfigurationInput } from "../core/model/configuration-types.ts";
import { UsageError } from "./usage-error.ts";

/** Where a node serves HTTP: `cluster.nodes.<id>.http`. */
export function httpAddressOf(
  configuration: StoreConfigurationInput,
  node: string,
  file: string,
): { readonly host: string; readonly port: number } {
  const nodes = configuration.cluster?.nodes;
  const ids = isList(nodes) ? nodes : Object.keys(nodes ?? {});
  if (!ids.includes(node)) {
    const there = ids.length === 0 ? "it names none" : `it names ${ids.join(", ")}`;
    throw new UsageError(`${file} has no node "${node}" in cluster.nodes; ${there}.`);
  }
  const input = isList(nodes) ? undefined : nodes?.[node];
  const address = typeof input === "object" ? input.http : undefined;
  if (address === undefined) {
    throw new UsageError(
      `${file} does not say where node "${node}" serves HTTP: give it ` +
        `cluster.nodes.${node} as { "peer": "host:port", "http": "host:port" }.`,
    );
  }
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(String(address));
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) {
    throw new UsageError(
      `${file}: cluster.nodes.${node}.http is ${JSON.stringify(address)}; ` +
        `it is "host:port" with a port from 1 to 65535.`,
    );
  }
  return { host: (match[1] ?? match[2])!, port };
}

function isList(nodes: unknown): nodes is readonly string[] {
  return Array.isArray(nodes);
}

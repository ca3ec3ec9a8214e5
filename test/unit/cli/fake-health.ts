import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";

/** What a node of three says: `n8` has died, `n9` runs on another configuration. */
export const HEALTH = Object.freeze({
  total_nodes: 3,
  healthy_nodes: 1,
  partitioned: true,
  consistency_mode: "tunable",
  writable_partitions: 0,
  read_only_partitions: 1,
  node: "n7",
  cluster: "orders",
  state: "ready",
  side: "isolated",
  degraded: true,
  insecure: false,
  nodes: [
    {
      node: "n7",
      status: "active",
      datacenter: "default",
      address: "127.0.0.1:7407",
      http: "127.0.0.1:8407",
    },
    { node: "n8", status: "unreachable", datacenter: "default", silent_ms: 61_200 },
    { node: "n9", status: "unknown", datacenter: "default", refusal: "configuration-mismatch" },
  ],
  keyspaces: [
    {
      name: "default",
      strategy: "tunable",
      replicas: 2,
      shards: 16,
      read_levels: ["one", "quorum"],
      write_levels: ["one", "quorum"],
      read_default: "quorum",
      write_default: "quorum",
    },
  ],
});

export function serveHealth(body: unknown = HEALTH): HttpServer {
  return createHttpServer((request, response) => {
    const isHealth = request.url === "/api/v1/cluster/health";
    response.writeHead(isHealth ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(isHealth ? body : {}));
  });
}

/** Lets a server listen on a free port while `use` runs. */
export async function listening<T>(server: Server, use: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use((server.address() as AddressInfo).port);
  } finally {
    if ("closeAllConnections" in server) (server as HttpServer).closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

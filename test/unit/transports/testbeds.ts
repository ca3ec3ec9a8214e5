import { join } from "node:path";
import type { TransportConformanceOptions } from "../../../src/conformance/index.ts";
import { SILENT_OBSERVER } from "../../../src/core/contracts/observer.ts";
import type { TransportContext } from "../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../../src/core/store/system-environment.ts";
import { createMemoryHub } from "../../../src/transports/memory/memory-hub.ts";
import { memoryTransport } from "../../../src/transports/memory/memory-transport.ts";
import { tcpTransport } from "../../../src/transports/tcp/tcp-transport.ts";
import { freePort } from "./free-ports.ts";

const environment = new SystemEnvironment();

export function contextOf(self: string, cluster: string, address?: string): TransportContext {
  return { self: self as NodeId, cluster, address, environment, observer: SILENT_OBSERVER };
}

export const MEMORY: TransportConformanceOptions = {
  name: "memory",
  capabilities: { addressed: false, ordered: true, remote: false },
  doublable: true,
  create: async () => {
    const hub = createMemoryHub();
    return {
      environment,
      create: (node, cluster) => memoryTransport({ hub }, contextOf(node, cluster)),
      createBeside: (node, cluster) => memoryTransport({ hub }, contextOf(node, cluster)),
      addressOf: () => undefined,
      dispose: async () => undefined,
    };
  },
};

/** Certificates of test/support/tls: of the node itself, unless it is another's. */
export function tlsOf(certificate: string, authority = "authority"): Record<string, string> {
  const folder = join(import.meta.dirname, "../../support/tls");
  return {
    certFile: join(folder, `${certificate}.pem`),
    keyFile: join(folder, `${certificate}-key.pem`),
    caFile: join(folder, `${authority}.pem`),
  };
}

export function tcpOptions(
  host = "127.0.0.1",
  optionsOf: (node: string) => Record<string, unknown> = () => ({}),
): TransportConformanceOptions {
  return {
    name: optionsOf("node-a").tls === undefined ? "tcp" : "tcp over TLS",
    capabilities: { addressed: true, ordered: true, remote: true },
    doublable: true,
    create: async () => {
      const addresses = new Map<string, string>();
      const shown = host.includes(":") ? `[${host}]` : host;
      for (const node of ["node-a", "node-b", "node-c"]) {
        addresses.set(node, `${shown}:${await freePort(host)}`);
      }
      const beside = `${shown}:${await freePort(host)}`;
      return {
        environment,
        create: (node, cluster) =>
          tcpTransport(optionsOf(node), contextOf(node, cluster, addresses.get(node))),
        createBeside: (node, cluster) =>
          tcpTransport(optionsOf(node), contextOf(node, cluster, beside)),
        addressOf: (node) => addresses.get(node),
        dispose: async () => undefined,
      };
    },
  };
}

import { join } from "node:path";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type {
  Transport,
  TransportFactory,
  TransportHandlers,
} from "../../src/core/contracts/transport.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { createMemoryHub } from "../../src/transports/memory/memory-hub.ts";
import { memoryTransport } from "../../src/transports/memory/memory-transport.ts";
import { tcpTransport } from "../../src/transports/tcp/tcp-transport.ts";

export const HERE = "node-a" as NodeId;
export const THERE = "node-b" as NodeId;

export type LinkType = "memory" | "tcp" | "tls";

/** Of both ends, and of who has signed them; they protect nothing. */
const CERTIFICATES = join(import.meta.dirname, "certificates");

/** Frames out, the echoes back in order. */
export interface Link {
  send(frame: Uint8Array, done: () => void): void;
  close(): Promise<void>;
}

/** Addresses: this side's, the echo's. The memory transport's echo lives in this process. */
export async function openLink(type: LinkType, addresses: readonly string[]): Promise<Link> {
  const options = optionsOf(type);
  const here = openEnd(type, options, HERE, addresses[0]);
  const echo = type === "memory" ? await startEcho(type, addresses, options) : undefined;
  const waiting: (() => void)[] = [];
  let head = 0;
  await new Promise<void>((resolve, reject) => {
    here
      .start({
        ...SILENT_HANDLERS,
        onFrame: () => {
          const done = waiting[head++];
          if (head === waiting.length) {
            waiting.length = 0;
            head = 0;
          }
          done?.();
        },
        onPeer: (_peer, state) => {
          if (state === "connected") resolve();
        },
      })
      .catch(reject);
    here.setPeers([{ node: THERE, address: addresses[1] }]);
  });
  return {
    send: (frame, done) => {
      waiting.push(done);
      here.send(THERE, frame, "log");
    },
    close: async () => {
      await here.close();
      await echo?.close();
    },
  };
}

/** The other end: sends every frame back on its lane. */
export async function startEcho(
  type: LinkType,
  addresses: readonly string[],
  options: Options = optionsOf(type),
): Promise<Transport> {
  const there = openEnd(type, options, THERE, addresses[1]);
  await there.start({
    ...SILENT_HANDLERS,
    onFrame: (from, frame, lane) => {
      there.send(from, frame, lane);
    },
  });
  there.setPeers([{ node: HERE, address: addresses[0] }]);
  return there;
}

const SILENT_HANDLERS: TransportHandlers = {
  onFrame: () => undefined,
  onPeer: () => undefined,
  onWritable: () => undefined,
  onFailed: (error) => {
    throw error;
  },
};

type Options = Readonly<Record<string, unknown>>;

function optionsOf(type: LinkType): Options {
  return type === "memory" ? { hub: createMemoryHub() } : {};
}

function openEnd(
  type: LinkType,
  options: Options,
  self: NodeId,
  address: string | undefined,
): Transport {
  const factory: TransportFactory = type === "memory" ? memoryTransport : tcpTransport;
  return factory(type === "tls" ? { ...options, tls: certificatesOf(self) } : options, {
    self,
    cluster: "benchmark",
    address,
    environment: new SystemEnvironment(),
    observer: SILENT_OBSERVER,
  });
}

function certificatesOf(node: NodeId): Options {
  return {
    certFile: join(CERTIFICATES, `${node}.pem`),
    keyFile: join(CERTIFICATES, `${node}-key.pem`),
    caFile: join(CERTIFICATES, "authority.pem"),
  };
}

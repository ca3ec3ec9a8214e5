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

export const HERE = "a" as NodeId;
export const THERE = "b" as NodeId;

/** Frames out, the echoes back in order. */
export interface Link {
  send(frame: Uint8Array, done: () => void): void;
  close(): Promise<void>;
}

/** Addresses: this side's, the echo's. The memory transport's echo lives in this process. */
export async function openLink(
  type: "memory" | "tcp",
  addresses: readonly string[],
): Promise<Link> {
  const hub = createMemoryHub();
  const options = type === "memory" ? { hub } : {};
  const factory: TransportFactory = type === "memory" ? memoryTransport : tcpTransport;
  const here = openEnd(factory, options, HERE, addresses[0]);
  const echo = type === "memory" ? await startEcho(factory, options, addresses) : undefined;
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
  factory: TransportFactory,
  options: Readonly<Record<string, unknown>>,
  addresses: readonly string[],
): Promise<Transport> {
  const there = openEnd(factory, options, THERE, addresses[1]);
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

function openEnd(
  factory: TransportFactory,
  options: Readonly<Record<string, unknown>>,
  self: NodeId,
  address: string | undefined,
): Transport {
  return factory(options, {
    self,
    cluster: "benchmark",
    address,
    environment: new SystemEnvironment(),
    observer: SILENT_OBSERVER,
  });
}

import type {
  Transport,
  TransportContext,
  TransportHandlers,
} from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { tcpTransport } from "../../../../src/transports/tcp/tcp-transport.ts";
import { RecordingObserver } from "../recording-observer.ts";
import { contextOf } from "../testbeds.ts";

export interface StartedNode {
  readonly transport: Transport;
  readonly events: string[];
  readonly observer: RecordingObserver;
}

/** A node's transport of the cluster "test", and what it tells; it is closed by what is added to `cleanups`. */
export async function startTcpNode(
  cleanups: (() => Promise<void> | void)[],
  self: string,
  address: string,
  peers: Record<string, string>,
  options: Record<string, unknown> = {},
  context: Partial<TransportContext> = {},
): Promise<StartedNode> {
  const observer = new RecordingObserver();
  const whole = { ...contextOf(self, "test", address), ...context, observer };
  const transport = tcpTransport(options, whole);
  const events: string[] = [];
  const handlers: TransportHandlers = {
    onFrame: (from, frame) => events.push(`${from}: ${Buffer.from(frame).toString()}`),
    onPeer: (peer, state) => events.push(`${peer} ${state}`),
    onWritable: () => undefined,
    onFailed: (error) => events.push(`failed: ${error.message}`),
  };
  transport.setPeers(
    Object.entries(peers).map(([node, at]) => ({ node: node as NodeId, address: at })),
  );
  await transport.start(handlers);
  cleanups.push(() => transport.close({ timeoutMs: 0 }));
  return { transport, events, observer };
}

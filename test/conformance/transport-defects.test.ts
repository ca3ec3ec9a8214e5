// Goal: show that each case of the suite can fail. Each defect is a memory transport that breaks
// one obligation; the cases named beside it must reject, and are the only thing that is asserted.
import { describe, expect, test } from "vitest";
import {
  ConformanceFailure,
  type TransportConformanceOptions,
  transportConformance,
} from "../../src/conformance/index.ts";
import type { Environment } from "../../src/core/contracts/environment.ts";
import type {
  Lane,
  PeerAddress,
  SendResult,
  Transport,
  TransportCapabilities,
  TransportHandlers,
} from "../../src/core/contracts/transport.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import {
  AllOrNothingTransport,
  EarlyTransport,
  LyingTransport,
  OnceClosedTransport,
  OnceConnectedTransport,
  OneQueueTransport,
  RecursiveTransport,
  RememberingTransport,
  RenamingTransport,
  SwappingTransport,
  TalkativeTransport,
  WaitingTransport,
} from "../unit/transports/defective-transports.ts";
import { PassingTransport } from "../unit/transports/passing-transport.ts";
import { MEMORY, tcpOptions } from "../unit/transports/testbeds.ts";

/**
 * Gives up after some 25 looks instead of 15 seconds: what is broken stays broken. Counted in looks,
 * so that a busy machine, which looks less often, does not make a whole transport look broken.
 */
class HastyEnvironment extends SystemEnvironment {
  #calls = 0;

  override monotonicMs(): number {
    this.#calls += 1;
    return this.#calls * 600;
  }
}

const real: Environment = new SystemEnvironment();

interface Defect {
  readonly name: string;
  readonly make: (inner: Transport, node: NodeId) => Transport;
  readonly base?: TransportConformanceOptions;
  /** The beginnings of the names of the cases that must fail. */
  readonly caughtBy: readonly string[];
}

function receiving(change: (handlers: TransportHandlers) => Partial<TransportHandlers>) {
  return (inner: Transport): Transport =>
    new (class extends PassingTransport {
      override wrap(handlers: TransportHandlers): TransportHandlers {
        return { ...handlers, ...change(handlers) };
      }
    })(inner);
}

function sending(
  send: (self: PassingTransport, peer: NodeId, frame: Uint8Array, lane: Lane) => SendResult,
) {
  return (inner: Transport): Transport =>
    new (class extends PassingTransport {
      override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
        return send(this, peer, frame, lane);
      }
    })(inner);
}

function settingPeers(
  setPeers: (
    self: PassingTransport & { readonly calls: number },
    peers: readonly PeerAddress[],
    node: NodeId,
  ) => void,
) {
  return (inner: Transport, node: NodeId): Transport =>
    new (class extends PassingTransport {
      calls = 0;
      override setPeers(peers: readonly PeerAddress[]): void {
        this.calls += 1;
        setPeers(this, peers, node);
      }
    })(inner);
}

const FRAME_DEFECTS: readonly Defect[] = [
  {
    name: "tears large frames",
    make: receiving(({ onFrame }) => ({
      onFrame: (from, frame, lane) => {
        onFrame(from, frame.subarray(0, 65_536), lane);
        if (frame.length > 65_536) onFrame(from, frame.subarray(65_536), lane);
      },
    })),
    caughtBy: ["a frame arrives whole", "frames of 8 MiB", "maxFrameBytes is at least"],
  },
  {
    name: "changes a byte of one small frame in a thousand",
    make: receiving(({ onFrame }) => ({
      onFrame: (from, frame, lane) => {
        const copy = Uint8Array.from(frame);
        if (copy[2] === 7) copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
        onFrame(from, copy, lane);
      },
    })),
    caughtBy: ["100,000 small frames"],
  },
  {
    name: "names the wrong sender",
    make: receiving(({ onFrame }) => ({
      onFrame: (_from, frame, lane) => onFrame("node-b" as NodeId, frame, lane),
    })),
    caughtBy: ["a frame arrives whole", "a frame names its sender"],
  },
  {
    name: "names the wrong lane",
    make: receiving(({ onFrame }) => ({
      onFrame: (from, frame) => onFrame(from, frame, "log"),
    })),
    caughtBy: ["a frame arrives whole", "frames of 8 MiB"],
  },
  {
    name: "loses frames of 8 MiB",
    make: sending(({ inner }, peer, frame, lane) =>
      frame.length > 8_000_000 ? "accepted" : inner.send(peer, frame, lane),
    ),
    caughtBy: ["frames of 8 MiB", "maxFrameBytes is at least"],
  },
  {
    name: "allows frames of 1 MiB only",
    make: (inner) =>
      new (class extends PassingTransport {
        override get maxFrameBytes(): number {
          return 1024 * 1024;
        }
      })(inner),
    caughtBy: ["maxFrameBytes is at least", "send throws a RangeError"],
  },
  {
    name: "reads the sender's buffer after send returned",
    make: sending(({ inner }, peer, frame, lane) => {
      real.defer(() => inner.send(peer, frame, lane));
      return "accepted";
    }),
    caughtBy: ["send borrows the frame"],
  },
  {
    name: "swaps neighbours",
    make: (inner) => new SwappingTransport(inner),
    caughtBy: ["frames of one lane arrive in order"],
  },
  {
    name: "puts all lanes into one queue",
    make: (inner) => new OneQueueTransport(inner),
    caughtBy: ["control does not wait", "the bound is per lane"],
  },
];

const recursive = new Map<NodeId, RecursiveTransport>();

const CALL_DEFECTS: readonly Defect[] = [
  {
    name: "has no bound",
    make: sending(({ inner }, peer, frame, lane) => {
      const result = inner.send(peer, frame, lane);
      return result === "saturated" ? "accepted" : result;
    }),
    caughtBy: ["what waits for a peer is bounded"],
  },
  {
    name: "takes what it answers saturated for",
    make: (inner) => new LyingTransport(inner),
    caughtBy: ["a frame that was not accepted does not arrive"],
  },
  {
    name: "never says onWritable",
    make: receiving(() => ({ onWritable: () => undefined })),
    caughtBy: ["onWritable tells"],
  },
  {
    name: "says onWritable within send",
    make: sending((self, peer, frame, lane) => {
      const result = self.inner.send(peer, frame, lane);
      if (result === "saturated") self.handlers?.onWritable(peer, lane);
      return result;
    }),
    caughtBy: ["onWritable tells", "no handler runs inside a call"],
  },
  {
    name: "hands frames over while another handler runs",
    make: (inner, node) => new RecursiveTransport(inner, node, recursive),
    caughtBy: ["send within onFrame does not recurse"],
  },
  {
    name: "counts no buffered bytes",
    make: (inner) =>
      new (class extends PassingTransport {
        override bufferedBytes(): number {
          return 0;
        }
      })(inner),
    caughtBy: ["bufferedBytes counts"],
  },
  {
    name: "takes frames of any size",
    make: sending(({ inner }, peer, frame, lane) =>
      frame.length === 0 ? "accepted" : inner.send(peer, frame, lane),
    ),
    caughtBy: ["send throws a RangeError"],
  },
  {
    name: "answers disconnected for a stranger",
    make: sending(({ inner }, peer, frame, lane) => {
      try {
        return inner.send(peer, frame, lane);
      } catch (error) {
        if (error instanceof TypeError) return "disconnected";
        throw error;
      }
    }),
    caughtBy: ["send throws a TypeError"],
  },
  {
    name: "says other capabilities than it has",
    make: (inner) =>
      new (class extends PassingTransport {
        override get capabilities(): TransportCapabilities {
          return { ...inner.capabilities, remote: true };
        }
      })(inner),
    caughtBy: ["capabilities are"],
  },
];

const PEER_DEFECTS: readonly Defect[] = [
  {
    name: "never says connected",
    make: receiving(() => ({ onPeer: () => undefined })),
    caughtBy: ["onPeer says connected", "a peer that is away"],
  },
  {
    name: "never says disconnected",
    make: receiving(({ onPeer }) => ({
      onPeer: (peer, state) => {
        if (state === "connected") onPeer(peer, state);
      },
    })),
    caughtBy: ["a peer that closes is disconnected", "a node that setPeers no longer names"],
  },
  {
    name: "says connected before frames are taken",
    make: (inner) => new EarlyTransport(inner),
    caughtBy: ["onPeer says connected"],
  },
  {
    name: "accepts frames for a peer that is away",
    make: sending(({ inner }, peer, frame, lane) => {
      const result = inner.send(peer, frame, lane);
      return result === "disconnected" ? "accepted" : result;
    }),
    caughtBy: ["a peer that is away", "a peer that closes is", "after close send", "clusters of"],
  },
  {
    name: "connects once only",
    make: (inner) => new OnceConnectedTransport(inner),
    caughtBy: ["a peer that closes is disconnected", "the same with", "reconnecting does not end"],
  },
  {
    name: "closes all peers when one goes",
    make: (inner) => new AllOrNothingTransport(inner),
    caughtBy: ["a peer that closes leaves the other peers alone"],
  },
  {
    name: "never forgets a peer",
    make: (inner) => new RememberingTransport(inner),
    caughtBy: ["a node that setPeers no longer names", "send throws a TypeError"],
  },
  {
    name: "listens to the first setPeers only",
    make: settingPeers((self, peers) => {
      if (self.calls === 1) self.inner.setPeers(peers);
    }),
    caughtBy: ["a node that setPeers names again"],
  },
  {
    name: "connects anew at every setPeers",
    make: settingPeers(({ inner }, peers) => {
      inner.setPeers([]);
      inner.setPeers(peers);
    }),
    caughtBy: ["setPeers with the same list"],
  },
  {
    name: "connects with whoever is there",
    make: settingPeers(({ inner }, _peers, node) => {
      const all = ["node-a", "node-b", "node-c"].filter((each) => each !== node) as NodeId[];
      inner.setPeers(all.map((each) => ({ node: each, address: undefined })));
    }),
    caughtBy: ["a node that setPeers does not name"],
  },
  {
    name: "does not look at the cluster's name",
    make: (inner) => inner,
    base: {
      ...MEMORY,
      create: async () => {
        const testbed = await MEMORY.create();
        return { ...testbed, create: (node) => testbed.create(node, "any") };
      },
    },
    caughtBy: ["clusters of different names"],
  },
];

const LIFECYCLE_DEFECTS: readonly Defect[] = [
  {
    name: "starts only when a peer is there",
    make: (inner) => new WaitingTransport(inner),
    caughtBy: ["start settles although"],
  },
  {
    name: "starts twice",
    make: (inner) =>
      new (class extends PassingTransport {
        override start(handlers: TransportHandlers): Promise<void> {
          return super.start(handlers).catch(() => undefined);
        }
      })(inner),
    caughtBy: ["start is called once", "close is idempotent"],
  },
  {
    name: "throws away what was accepted when it closes",
    make: (inner) =>
      new (class extends PassingTransport {
        override close(): Promise<void> {
          return this.inner.close({ timeoutMs: 0 });
        }
      })(inner),
    caughtBy: ["close lets leave"],
  },
  {
    name: "never ends closing",
    make: (inner) =>
      new (class extends PassingTransport {
        override async close(options?: { readonly timeoutMs?: number }): Promise<void> {
          await this.inner.close(options);
          if (options?.timeoutMs === 500) await new Promise(() => undefined);
        }
      })(inner),
    caughtBy: ["close settles although"],
  },
  {
    name: "closes once only",
    make: (inner) => new OnceClosedTransport(inner),
    caughtBy: ["close is idempotent"],
  },
  {
    name: "says disconnected to its owner after it closed",
    make: (inner) => new TalkativeTransport(inner),
    caughtBy: ["after close no handler runs"],
  },
  {
    name: "reports a port in use as a plain error",
    base: tcpOptions(),
    make: (inner) =>
      new (class extends PassingTransport {
        override start(handlers: TransportHandlers): Promise<void> {
          return super.start(handlers).catch((error: Error) => {
            throw new Error(error.message);
          });
        }
      })(inner),
    caughtBy: ["start rejects with PORT_IN_USE"],
  },
];

const IDENTITY_DEFECTS: readonly Defect[] = [
  {
    name: "does not say that another process is connected",
    make: receiving(() => ({ onDenied: () => undefined })),
    caughtBy: ["of two processes under one id", "likewise of two under the greater id"],
  },
  {
    name: "makes up what the peer answers",
    make: receiving(({ onDenied }) => ({
      onDenied: (peer, denial) => onDenied?.(peer, denial && "identity-taken"),
    })),
    caughtBy: ["of two processes under one id"],
  },
  {
    name: "names each attempt of a process anew",
    make: (inner) => new RenamingTransport(inner),
    caughtBy: ["of two processes under one id"],
  },
  {
    name: "denies whoever is connected, once",
    make: receiving(({ onPeer, onDenied }) => ({
      onPeer: (peer, state) => {
        if (state === "connected") onDenied?.(peer, "identity-taken");
        onPeer(peer, state);
      },
    })),
    caughtBy: ["a process that takes the place"],
  },
];

const ALL = [
  ...FRAME_DEFECTS,
  ...CALL_DEFECTS,
  ...PEER_DEFECTS,
  ...LIFECYCLE_DEFECTS,
  ...IDENTITY_DEFECTS,
];

describe("a transport that", () => {
  for (const defect of ALL) {
    const suite = transportConformance(broken(defect));
    for (const beginning of defect.caughtBy) {
      test.concurrent(`${defect.name} fails "${beginning}…"`, async () => {
        const found = suite.cases.filter(({ name }) => name.startsWith(beginning));
        expect(found).toHaveLength(1);
        await expect(found[0]?.run()).rejects.toBeInstanceOf(ConformanceFailure);
      });
    }
  }
});

describe("a transport that is not broken, under the same clock", () => {
  const make = (inner: Transport): Transport => new PassingTransport(inner);
  const suite = transportConformance(broken({ name: "works", make, caughtBy: [] }));
  for (const each of suite.cases) test.concurrent(each.name, each.run);
});

test("every case has a defect that it catches", () => {
  const beginnings = ALL.flatMap(({ caughtBy }) => caughtBy);
  const names = transportConformance(tcpOptions()).cases.map(({ name }) => name);
  const uncaught = names.filter((name) => !beginnings.some((each) => name.startsWith(each)));
  expect(uncaught).toEqual([]);
});

function broken({ base = MEMORY, make }: Defect): TransportConformanceOptions {
  return {
    ...base,
    create: async () => {
      const testbed = await base.create();
      return {
        ...testbed,
        environment: new HastyEnvironment(),
        create: (node, cluster) => make(testbed.create(node, cluster), node),
        createBeside: (node, cluster) =>
          make((testbed.createBeside ?? testbed.create)(node, cluster), node),
      };
    },
  };
}

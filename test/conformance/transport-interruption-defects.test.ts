// Goal: show that the cases of an interrupted medium can fail. The medium is a memory hub whose
// transports forget their peers and are given them back.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { transportConformance } from "../../src/conformance/index.ts";
import type {
  Lane,
  PeerAddress,
  SendResult,
  TransportHandlers,
} from "../../src/core/contracts/transport.ts";
import type { NodeId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { casesThatFail } from "../support/bind-suite.ts";
import { PassingTransport } from "../unit/transports/passing-transport.ts";
import { MEMORY } from "../unit/transports/testbeds.ts";

/** Gives up after some 40 looks instead of 15 seconds: what is broken stays broken. */
class HastyEnvironment extends SystemEnvironment {
  #calls = 0;

  override monotonicMs(): number {
    this.#calls += 1;
    return this.#calls * 400;
  }
}

class InterruptedTransport extends PassingTransport {
  isInterrupted = false;
  #isCut = false;
  #peers: readonly PeerAddress[] = [];

  override setPeers(peers: readonly PeerAddress[]): void {
    this.#peers = peers;
    super.setPeers(peers);
  }

  override send(peer: NodeId, frame: Uint8Array, lane: Lane): SendResult {
    return this.#isCut ? "disconnected" : super.send(peer, frame, lane);
  }

  cut(): void {
    this.isInterrupted = true;
    this.#isCut = true;
    this.inner.setPeers([]);
  }

  mend(): void {
    this.#isCut = false;
    this.inner.setPeers(this.#peers);
  }
}

class Unaware extends InterruptedTransport {
  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onPeer: (peer, state) => {
        if (state === "connected") handlers.onPeer(peer, state);
      },
    };
  }
}

class Lost extends InterruptedTransport {
  override mend(): void {}
}

class Torn extends InterruptedTransport {
  override wrap(handlers: TransportHandlers): TransportHandlers {
    return {
      ...handlers,
      onFrame: (from, frame, lane) => {
        const end = this.isInterrupted ? frame.length - 1 : frame.length;
        handlers.onFrame(from, frame.subarray(0, end), lane);
      },
    };
  }
}

async function failing(kind: typeof InterruptedTransport): Promise<string[]> {
  const suite = transportConformance({
    ...MEMORY,
    interruptible: true,
    create: async () => {
      const testbed = await MEMORY.create();
      const made: InterruptedTransport[] = [];
      return {
        ...testbed,
        environment: new HastyEnvironment(),
        create: (node, cluster) => {
          const transport = new kind(testbed.create(node, cluster));
          made.push(transport);
          return transport;
        },
        interrupt: async () => {
          for (const each of made) each.cut();
          await turn();
          for (const each of made) each.mend();
        },
      };
    },
  });
  const cases = suite.cases.filter(({ name }) => name.includes("interruption"));
  expect(cases).toHaveLength(2);
  return casesThatFail({ ...suite, cases });
}

const COMES_BACK = "an interruption disconnects peers, which are connected again when it is over";
const STAYS_WHOLE = "frames under way in an interruption come whole or not at all";

test.each([
  ["works, and find nothing", InterruptedTransport, []],
  ["does not say that peers were disconnected", Unaware, [COMES_BACK]],
  ["does not come back", Lost, [COMES_BACK, STAYS_WHOLE]],
  ["tears frames afterwards", Torn, [STAYS_WHOLE]],
])(
  "the cases notice a transport that %s",
  async (_what, kind, expected) => {
    expect(await failing(kind)).toEqual(expected);
  },
  30_000,
);

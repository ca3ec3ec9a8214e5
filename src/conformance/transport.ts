import { type ConformanceCase, type ConformanceSuite, checkEqual } from "./suite.ts";
import { BOUND_CASES } from "./transport-bounds.ts";
import { FRAME_CASES, ORDER_CASES } from "./transport-frames.ts";
import { IDENTITY_CASES } from "./transport-identities.ts";
import { INTERRUPTION_CASES } from "./transport-interruptions.ts";
import { ADDRESS_CASES, LIFECYCLE_CASES } from "./transport-lifecycle.ts";
import { PEER_CASES } from "./transport-peers.ts";
import {
  NODE_A,
  runOnNetwork,
  type TestNetwork,
  type TransportConformanceOptions,
} from "./transport-testbed.ts";

export type { TransportConformanceOptions, TransportTestbed } from "./transport-testbed.ts";

/**
 * The obligations of the `Transport` contract, one case each, every one on a network of its own.
 * The cases wait for things to happen on the testbed's clock and never measure time.
 */
export function transportConformance(options: TransportConformanceOptions): ConformanceSuite {
  const saysItsCapabilities = async (network: TestNetwork): Promise<void> => {
    const { capabilities } = network.node(NODE_A, []).transport;
    checkEqual({ ...capabilities }, { ...options.capabilities }, "capabilities");
  };
  const cases = [
    ["capabilities are what the author says", saysItsCapabilities] as const,
    ...FRAME_CASES,
    ...(options.capabilities.ordered ? ORDER_CASES : []),
    ...BOUND_CASES,
    ...PEER_CASES,
    ...LIFECYCLE_CASES,
    ...(options.capabilities.addressed ? ADDRESS_CASES : []),
    ...(options.doublable === true ? IDENTITY_CASES : []),
    ...(options.interruptible === true ? INTERRUPTION_CASES : []),
  ];
  return {
    name: `transport ${options.name}`,
    cases: cases.map(
      ([name, run]): ConformanceCase => ({ name, run: () => runOnNetwork(options, run) }),
    ),
  };
}

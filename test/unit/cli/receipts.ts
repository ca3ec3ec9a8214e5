import type { Receipt } from "../../../src/core/model/receipt.ts";

/** Of an operation at quorum that two of three replicas answered. */
export const receipt: Receipt = Object.freeze({
  asked: "quorum",
  achieved: "quorum",
  consistent: true,
  replicas: { total: 3, answered: 2, durable: 2, standIns: 0 },
  pendingSync: false,
  repaired: 0,
  epoch: 1,
  durationMs: 1.25,
});

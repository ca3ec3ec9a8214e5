import type { Level } from "../../core/model/levels.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import type { Receipt } from "../../core/model/receipt.ts";

export interface ReceiptFacts {
  readonly asked: Level;
  readonly achieved: Level;
  readonly voters: number;
  readonly epoch: number;
  readonly durationMs: number;
}

/** Committed: a majority has it durably; who else has it by now nobody has counted. */
export function writeReceipt({ asked, voters, epoch, durationMs }: Omit<ReceiptFacts, "achieved">) {
  const majority = majorityOf(voters);
  return receipt(
    { asked, achieved: "strong", voters, epoch, durationMs },
    { answered: majority, pendingSync: majority < voters },
  );
}

/** A majority has vouched for a strong read; any other was answered by one replica alone. */
export function readReceipt(facts: ReceiptFacts): Receipt {
  const isVouchedFor = facts.achieved === "strong" || facts.achieved === "follower";
  const answered = isVouchedFor ? majorityOf(facts.voters) : 1;
  return receipt(facts, { answered, pendingSync: false });
}

function receipt(
  { asked, achieved, voters, epoch, durationMs }: ReceiptFacts,
  { answered, pendingSync }: { readonly answered: number; readonly pendingSync: boolean },
): Receipt {
  return {
    asked,
    achieved,
    consistent: true,
    // What is applied anywhere is durable at a majority: each that answers speaks for some of it.
    replicas: { total: voters, answered, durable: answered, standIns: 0 },
    pendingSync,
    repaired: 0,
    epoch,
    durationMs,
  };
}

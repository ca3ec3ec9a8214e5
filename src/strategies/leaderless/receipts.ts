import type { Level } from "../../core/model/levels.ts";
import { majorityOf, requiredReplicas } from "../../core/model/quorum.ts";
import type { Receipt } from "../../core/model/receipt.ts";

export interface ReceiptFacts {
  readonly asked: Level;
  /** Replicas whose answer counts. */
  readonly counted: number;
  readonly durable: number;
  /** Copies on nodes that only stand in; default 0. */
  readonly standIns?: number;
  readonly total: number;
  readonly met: boolean;
  readonly pendingSync: boolean;
  readonly repaired: number;
  readonly epoch: number;
  readonly durationMs: number;
  readonly side: "Read" | "Write";
}

export function receiptOf(facts: ReceiptFacts): Receipt {
  const replicas = {
    total: facts.total,
    answered: facts.counted,
    durable: facts.durable,
    standIns: facts.standIns ?? 0,
  };
  const { asked, pendingSync, repaired, epoch, durationMs } = facts;
  if (facts.met) {
    const achieved = asked === "eventual" ? "one" : asked;
    return {
      asked,
      achieved,
      consistent: true,
      replicas,
      pendingSync,
      repaired,
      epoch,
      durationMs,
    };
  }
  return {
    asked,
    achieved: levelReached(facts.counted, facts.total),
    consistent: false,
    replicas,
    pendingSync,
    repaired,
    warning: `${facts.side} quorum not met`,
    epoch,
    durationMs,
  };
}

/** The strongest counting level that this many replicas meet; `eventual` where none did. */
function levelReached(counted: number, total: number): Level {
  if (counted >= total) return "all";
  if (counted >= majorityOf(total)) return "quorum";
  if (counted === 0) return "eventual";
  return counted >= 3 ? "three" : counted === 2 ? "two" : "one";
}

/** Replicas that must answer; undefined if the shard has too few replicas for the level. */
export function neededFor(level: Level, total: number): number | undefined {
  return requiredReplicas(level === "eventual" ? "one" : level, total);
}

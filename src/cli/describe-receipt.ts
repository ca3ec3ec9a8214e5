import type { Receipt } from "../core/model/receipt.ts";
import { paintFor } from "./paint.ts";
import { printLine, type Surroundings } from "./surroundings.ts";

/** `quorum: 2 of 3 replicas, 1.8 ms` */
export function describeReceipt(receipt: Receipt): string {
  const { answered, total, standIns } = receipt.replicas;
  const standing = standIns === 0 ? "" : `, ${standIns} stand-ins`;
  return `${receipt.achieved}: ${answered} of ${total} replicas${standing}, ${milliseconds(receipt)} ms`;
}

/** A weaker level than the asked one is never passed over in silence. */
export function warnIfWeaker(receipt: Receipt, { stderr, env }: Surroundings): void {
  if (receipt.consistent && receipt.warning === undefined) return;
  const paint = paintFor(stderr, env);
  const why = receipt.warning ?? `asked for ${receipt.asked}, met ${receipt.achieved}`;
  printLine(stderr, `${paint("yellow", "warning:")} ${why}`);
}

function milliseconds(receipt: Receipt): string {
  return receipt.durationMs.toFixed(1);
}

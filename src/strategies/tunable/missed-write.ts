import type { NodeId } from "../../core/model/ids.ts";
import type { HintMessage } from "../leaderless/handoff/handoff-messages.ts";
import type { PendingWrite } from "./pending-write.ts";

/**
 * Who has missed a write, as its coordinator knows it now, and who is to remember so: this node's
 * own replica if it holds the write, else the first that does. Undefined if nobody missed it, or
 * nobody is known to hold it.
 */
export function missedWrite(
  { answers, held, request }: PendingWrite,
  self: NodeId,
): { readonly holder: NodeId; readonly hint: HintMessage } | undefined {
  const { replicas } = answers.placement;
  const missed = ((1 << replicas.length) - 1) & ~answers.answered;
  if (missed === 0) return undefined;
  const own = answers.bitOf(self) & held;
  const [holder] = answers.nodesOf(own === 0 ? held : own);
  if (holder === undefined) return undefined;
  const targets = answers.nodesOf(missed);
  const { key } = request.operation;
  return { holder, hint: { type: "hint", requestId: 0, targets, key } };
}

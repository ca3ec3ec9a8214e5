import type { Effects, ReplicaContext, Sender } from "../../core/contracts/machine.ts";
import type { LeaderlessMessage, RangeMessage, RangeReply, ReadMessage } from "./messages.ts";
import { atEpoch } from "./place/place-messages.ts";
import type { ReplicaPlace } from "./place/replica-place.ts";
import { readRun } from "./range-run.ts";
import type { RecordRules } from "./record-rules.ts";
import type { Settling } from "./settling/settling.ts";

type Fx = Effects<LeaderlessMessage>;

export interface CopyReaderParts {
  readonly context: Pick<ReplicaContext, "shardIndex">;
  readonly rules: Pick<RecordRules, "summaryOf">;
  readonly place: Pick<ReplicaPlace, "map" | "vote">;
  readonly settling: Pick<Settling, "absent" | "floors">;
  /** Whether the copy's answers count. */
  readonly isServing: () => boolean;
}

/**
 * What a copy says that it holds, to coordinators and to copies that learn from it. It answers whether
 * it serves or not; whoever asks counts only those who do.
 */
export class CopyReader {
  readonly #parts: CopyReaderParts;

  constructor(parts: CopyReaderParts) {
    this.#parts = parts;
  }

  /** One key: the record, or its summary where that is enough to tell it from another. */
  onRead(from: Sender, message: ReadMessage, effects: Fx): void {
    const { context, rules, settling, isServing } = this.#parts;
    const held = effects.get(message.key) ?? settling.absent;
    const { digestAbove, requestId, stampOnly } = message;
    const serving = isServing();
    const isDigest = digestAbove !== undefined && held !== undefined && held.length > digestAbove;
    const isShort = held !== undefined && (isDigest || stampOnly);
    const record = isShort ? rules.summaryOf(held) : held;
    const reply = { type: "read-reply", requestId, serving, record } as const;
    const answer = isDigest ? { ...reply, fullBytes: held.length } : reply;
    effects.send(from.node, "coordinator", context.shardIndex, answer);
  }

  /** A run of keys, with what is settled: a scan's, or of the stream that another copy learns from. */
  onRange(from: Sender, message: RangeMessage, effects: Fx): void {
    const { context, place, settling, isServing } = this.#parts;
    const { entries, more } = readRun(effects, message);
    const { requestId, purpose } = message;
    const { floor, reapable } = settling.floors;
    const serving = isServing();
    const reply: RangeReply = {
      ...{ type: "range-reply", requestId, purpose, serving },
      ...{ entries, more, floor, reapable },
    };
    const { shardIndex } = context;
    if (purpose === "scan") effects.send(from.node, "coordinator", shardIndex, reply);
    else {
      const { map, vote } = place;
      effects.send(from.node, "replica", shardIndex, atEpoch(map, reply, vote), "bulk");
    }
  }
}

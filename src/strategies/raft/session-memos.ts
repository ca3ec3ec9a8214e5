import type { Stamp } from "../../core/model/stamp.ts";

/** Of one shard; beyond it the memo that was made first goes. */
const MAX_MEMOS = 64;

/** What is known of an open session without reading its row again. */
export interface SessionMemo {
  readonly session: Stamp;
  /** As the session's row has it. */
  lastUseMs: number;
}

/** The memos of a shard's sessions that were used last. */
export class SessionMemos {
  readonly #memos = new Map<string, SessionMemo>();
  #newest: SessionMemo | undefined;

  get(session: Stamp): SessionMemo | undefined {
    const newest = this.#newest;
    if (newest !== undefined && isSameSession(newest.session, session)) return newest;
    const found = this.#memos.get(textOf(session));
    if (found !== undefined) this.#newest = found;
    return found;
  }

  add(memo: SessionMemo): void {
    if (this.#memos.size >= MAX_MEMOS) {
      const [oldest] = this.#memos.keys();
      if (oldest !== undefined) this.#memos.delete(oldest);
    }
    this.#memos.set(textOf(memo.session), memo);
    this.#newest = memo;
  }

  /** Its row changes in another way than by an operation. */
  forget(session: Stamp): void {
    this.#memos.delete(textOf(session));
    this.#newest = undefined;
  }
}

export function isSameSession(a: Stamp, b: Stamp): boolean {
  return a.time === b.time && a.actorLow === b.actorLow && a.actorHigh === b.actorHigh;
}

function textOf({ time, actorHigh, actorLow }: Stamp): string {
  return `${time}:${actorHigh}:${actorLow}`;
}

import type {
  Effects,
  ReplicaContext,
  Sender,
  ShardPlacement,
} from "../../../core/contracts/machine.ts";
import { type HybridTime, hybridTimeOf } from "../../../core/model/stamp.ts";
import type { KeySpan } from "../anti-entropy/fingerprint.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { Floors } from "./floors.ts";
import type { SettleMessage, SettleStep, SpanVerdict } from "./settle-messages.ts";
import type { SettlingRules } from "./settling-rules.ts";
import { sumOf } from "./span-sum.ts";

type LeaderlessEffects = Effects<LeaderlessMessage>;
type Step<S extends SettleStep["step"]> = Extract<SettleMessage, { readonly step: S }>;

/** How far this replica has closed the shard in a round. In memory: a restart ends its part in it. */
interface Closing {
  readonly upTo: HybridTime;
  readonly leader: Sender;
  /** Below this key, or everywhere, nothing unknown up to `upTo` is taken. */
  to: Uint8Array | "all";
  lastRequestId: number;
  lastVerdict: SpanVerdict | undefined;
}

const FIRST_KEY = new Uint8Array(0);

export interface ParticipantParts {
  readonly context: ReplicaContext;
  readonly floors: Floors;
  readonly rules: SettlingRules;
  /** False on a node that stands in. */
  readonly isReplica: () => boolean;
  readonly isServing: () => boolean;
  /** Makes both sides equal there. */
  readonly mend: (peer: Sender, span: KeySpan, effects: LeaderlessEffects) => void;
}

/** The part of a replica, or of a node that stands in, in rounds that another one leads. */
export class Participant {
  readonly #parts: ParticipantParts;
  #closing: Closing | undefined;

  constructor(parts: ParticipantParts) {
    this.#parts = parts;
  }

  /** Up to when nothing unknown of the key is taken, before it is known whether that is settled. */
  closedUpTo(key: Uint8Array): HybridTime {
    const closing = this.#closing;
    if (closing === undefined) return 0;
    return closing.to === "all" || Buffer.compare(key, closing.to) < 0 ? closing.upTo : 0;
  }

  onPromise(
    from: Sender,
    { upTo, epoch }: Step<"promise">,
    wallMs: number,
    effects: LeaderlessEffects,
  ): void {
    const { context, floors } = this.#parts;
    const isReplica = this.#parts.isReplica();
    // What a node that stands in has not handed over yet, no replica may know.
    const { entries } = isReplica ? { entries: [] } : effects.range(undefined, undefined, 1, 1);
    const placement = context.placement(context.shardIndex);
    const answer = (verdict: Step<"promised">["verdict"]): void => {
      const { fence, reapable } = floors.values;
      this.#send(
        from,
        { step: "promised", verdict, copies: entries.length, fence, reapable },
        upTo,
        0,
        effects,
      );
    };
    if (placement.epoch !== epoch || isMoving(placement)) return answer("elsewhere");
    if (isReplica && !this.#parts.isServing()) return answer("rebuilding");
    const isKnown = this.#closing?.upTo === upTo && isSame(this.#closing.leader, from);
    if (isKnown) return answer("promised");
    // A fence is never in the future of whoever makes events behind it.
    const isAhead = upTo <= floors.values.fence || upTo > hybridTimeOf(wallMs);
    if (isAhead) return answer("ahead");
    floors.set({ fence: upTo }, effects);
    this.#closing = {
      upTo,
      leader: from,
      to: FIRST_KEY,
      lastRequestId: 0,
      lastVerdict: undefined,
    };
    answer("promised");
  }

  onSpan(from: Sender, message: Step<"span">, effects: LeaderlessEffects): void {
    const { upTo, after, span, sum, requestId } = message;
    const closing = this.#closingOf(from, upTo);
    const answer = (verdict: SpanVerdict, to?: Uint8Array): void => {
      if (closing !== undefined) closing.lastVerdict = verdict;
      this.#send(from, { step: "spanned", verdict, to }, upTo, requestId, effects);
    };
    if (closing === undefined || !isReached(closing.to, span.from)) return answer("void");
    if (requestId < closing.lastRequestId) return;
    // What came twice is answered as before: the leader may have gone on with that answer.
    if (requestId === closing.lastRequestId) return answer(closing.lastVerdict ?? "void");
    closing.lastRequestId = requestId;
    closing.to = span.from ?? FIRST_KEY;
    const own = sumOf(span, after, upTo, this.#parts.rules, effects);
    if (own.cutAt !== undefined) return answer("too-long", own.cutAt);
    if (!own.sum.equals(sum)) {
      this.#parts.mend(from, span, effects);
      return answer("differs");
    }
    closing.to = span.to ?? "all";
    answer("equal");
  }

  /** True: the floor has risen. */
  onAdopt(from: Sender, { upTo }: Step<"adopt">, effects: LeaderlessEffects): boolean {
    const { floors } = this.#parts;
    const isClosed = this.#closingOf(from, upTo)?.to === "all";
    const isNew = isClosed && upTo > floors.values.floor;
    if (isNew) floors.set({ floor: upTo, stripTo: 0 }, effects);
    const verdict = floors.values.floor >= upTo ? "adopted" : "void";
    this.#send(from, { step: "adopted", verdict }, upTo, 0, effects);
    return isNew;
  }

  /** The shard is open again for what is not known to be settled. */
  forget(): void {
    this.#closing = undefined;
  }

  #closingOf(from: Sender, upTo: HybridTime): Closing | undefined {
    const closing = this.#closing;
    return closing?.upTo === upTo && isSame(closing.leader, from) ? closing : undefined;
  }

  #send(
    to: Sender,
    step: SettleStep,
    upTo: HybridTime,
    requestId: number,
    effects: LeaderlessEffects,
  ): void {
    const message: SettleMessage = { type: "settle", requestId, upTo, ...step };
    effects.send(to.node, "replica", this.#parts.context.shardIndex, message, "bulk");
  }
}

export function isMoving({ pending, leaving }: ShardPlacement): boolean {
  return pending !== undefined || leaving !== undefined;
}

/** The spans of a round come in the order of keys; one may come again, changed. */
function isReached(to: Closing["to"], from: Uint8Array | undefined): boolean {
  return to === "all" || Buffer.compare(from ?? FIRST_KEY, to) <= 0;
}

function isSame(a: Sender, b: Sender): boolean {
  return a.node === b.node && a.storeId === b.storeId && a.incarnation === b.incarnation;
}

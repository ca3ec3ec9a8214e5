import type { CrdtResolver } from "../../../core/contracts/resolver.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../../core/model/values.ts";
import { type KeyedRecord, keyRecord } from "../../leaderless/record.ts";
import type { CausalContext } from "../causal-context.ts";
import { type DottedRecord, encodeRecord, isAlive, keyStateRecord } from "../dotted-record.ts";
import { type NamedOperation, operate, stateOf } from "../mint.ts";
import type { PlantedDynamoBugs } from "../planted-bugs.ts";
import { type EncodedState, planState } from "./encoded-state.ts";
import { HotStates } from "./hot-states.ts";
import { contextAfter, deltaBytes, type StateDelta } from "./state-delta.ts";

/** A key's copy, as it is held: the record and its bytes. */
export interface HeldCopy {
  readonly key: Uint8Array;
  /** Undefined: nothing is held, and `record` says so. */
  readonly bytes: Uint8Array | undefined;
  readonly record: DottedRecord;
}

/** A client's operation, carried out. */
export interface Operated {
  readonly type: "operated";
  readonly context: CausalContext;
  /** Names that a floor has made needless in it. */
  readonly namesGone: number;
  /** Of the record. */
  readonly byteLength: number;
  /** The record, and its state for the next operation; once, and only if it will be kept. */
  readonly keyed: KeyedRecord;
  readonly encoded: EncodedState;
  /** Undefined: the record is sent. */
  readonly delta: StateDelta | undefined;
}

/**
 * - `joined`: the record with the delta in it, to be kept.
 * - `held`: the copy has the event already.
 * - `gap`: the copy lacks something that the delta rests on; nothing but the whole record helps.
 */
export type DeltaVerdict =
  | { readonly type: "joined"; readonly keyed: KeyedRecord; readonly encoded: EncodedState }
  | { readonly type: "held" }
  | { readonly type: "gap" };

export const GAP: DeltaVerdict & { readonly type: "gap" } = Object.freeze({ type: "gap" });
const HELD: DeltaVerdict = Object.freeze({ type: "held" });

/** States of CRDTs, changed by operations and deltas without being read and written whole. */
export class States {
  readonly #resolver: CrdtResolver;
  readonly #planted: PlantedDynamoBugs;
  readonly #hot = new HotStates();

  constructor(resolver: CrdtResolver, planted: PlantedDynamoBugs) {
    this.#resolver = resolver;
    this.#planted = planted;
  }

  /** Whether states shed the names of actors that have ended. */
  get retiresActors(): boolean {
    return this.#resolver.retireActors !== undefined;
  }

  /** `settledTo`: up to there every event is known here. */
  operate(
    held: HeldCopy,
    operation: NamedOperation,
    settledTo: HybridTime,
  ): Operated | { readonly type: "refused"; readonly message: string } {
    const { key, record } = held;
    const { time: newestTime } = operation;
    const dot = { ...operation.dot, time: newestTime };
    const hot = this.#hotOf(held);
    const before = () => (hot === undefined ? stateOf(this.#resolver, record) : hot.state);
    const operated = operate(this.#resolver, before, operation, (after, state, checked, named) => {
      const known = record.context.with(dot);
      const context = this.retiresActors ? known.raisedTo(settledTo) : known.settledUpTo(settledTo);
      const kept = this.#retired(after, context.base);
      const made = keyStateRecord(key, { context, newestTime }, planState(kept, hot));
      const added = this.#resolver.delta?.(state, checked, named);
      const part = added === undefined ? undefined : encodeValue(added);
      const namesGone = known.entries.length - context.entries.length;
      return { ...made, context, namesGone, part };
    });
    if (operated.type === "refused") return operated;
    const { keyed, encoded, context, namesGone, part } = operated.made;
    const byteLength = keyed.record.length;
    let delta: StateDelta | undefined;
    if (part !== undefined) {
      const { base: settled } = context;
      delta = { key, base: record.context, dot, settledTo: settled, state: part };
      if (deltaBytes(delta) >= byteLength) delta = undefined;
    }
    return { type: "operated", context, namesGone, byteLength, keyed, encoded, delta };
  }

  join(held: HeldCopy, delta: StateDelta): DeltaVerdict {
    const { key, record } = held;
    const { context } = record;
    if (context.covers(delta.dot, delta.dot.time)) return HELD;
    if (this.#planted.deltaTakenForState === true) return this.#taken(delta);
    const follows = context.includes(delta.base) || this.#planted.deltaAcrossGap === true;
    if (!follows || record.states.length > 1) return GAP;
    const hot = this.#hotOf(held);
    const newestTime = Math.max(record.newestTime, delta.dot.time);
    try {
      const state = hot === undefined ? stateOf(this.#resolver, record) : hot.state;
      const after = this.#resolver.join(state, decodeValue(delta.state));
      const events = { context: context.merge(contextAfter(delta)), newestTime };
      // All that the delta's maker knew is known here: its base holds for this copy as well.
      const kept = this.#retired(after, events.context.base);
      return { type: "joined", ...keyStateRecord(key, events, planState(kept, hot)) };
    } catch {
      // The resolver is somebody's own: whole records that it does not join are kept side by side.
      return GAP;
    }
  }

  /** The record is held from now on. */
  keep({ key, record }: KeyedRecord, encoded: EncodedState): void {
    this.#hot.remember(key, record, encoded);
  }

  #retired(state: unknown, upTo: HybridTime): unknown {
    return this.#resolver.retireActors?.(state, upTo) ?? state;
  }

  #hotOf({ key, bytes, record }: HeldCopy): EncodedState | undefined {
    if (bytes === undefined || !isAlive(record)) return undefined;
    return this.#hot.find(key, bytes);
  }

  #taken(delta: StateDelta): DeltaVerdict {
    const { key, state } = delta;
    const context = contextAfter(delta);
    const record = { context, newestTime: delta.dot.time, siblings: [], states: [state] };
    const keyed = keyRecord(key, encodeRecord(record));
    return {
      type: "joined",
      keyed,
      encoded: { state: decodeValue(state), bytes: state, list: undefined },
    };
  }
}

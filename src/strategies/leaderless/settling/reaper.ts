import type { Effects } from "../../../core/contracts/machine.ts";
import { keyAfter } from "../../../core/model/keys.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { RecordRules } from "../record-rules.ts";

const TIMER = "reap";
const STEP_ENTRIES = 256;
const STEP_BYTES = 256 * 1024;
const STEP_PAUSE_MS = 2;

type LeaderlessEffects = Effects<LeaderlessMessage>;

interface Walk {
  /** `reap`: tombstones go. `strip`: everything goes that is not news above the time. */
  readonly purpose: "reap" | "strip";
  readonly upTo: HybridTime;
  at: Uint8Array | undefined;
  left: number;
  /** Something has come that the walk may have passed. */
  isAgain: boolean;
}

/** Walks a shard in steps, and takes out what is settled. */
export class Reaper {
  readonly #rules: RecordRules;
  readonly #touch: (key: Uint8Array) => void;
  #walk: Walk | undefined;
  #reaped = 0;
  /** Tombstones that the last walk has left, and those that came since. */
  #tombstones = 0;
  #came = 0;

  /** `touch` is told of every key whose record has changed or gone. */
  constructor(rules: RecordRules, touch: (key: Uint8Array) => void) {
    this.#rules = rules;
    this.#touch = touch;
  }

  get reaped(): number {
    return this.#reaped;
  }

  /** About how many are held: exact after each walk. */
  get tombstones(): number {
    return this.#tombstones + this.#came;
  }

  noteTombstone(): void {
    this.#came++;
  }

  /** Whether the timer is this one. */
  owns(timer: string): boolean {
    return timer === TIMER;
  }

  begin(purpose: Walk["purpose"], upTo: HybridTime, effects: LeaderlessEffects): void {
    if (this.#walk?.purpose === "strip" && purpose === "reap") return;
    this.#walk = { purpose, upTo, at: undefined, left: 0, isAgain: false };
    this.#came = 0;
    effects.setTimer(TIMER, STEP_PAUSE_MS);
  }

  /** Another walk, behind the one that is under way, if there is one. */
  beginAgain(upTo: HybridTime, effects: LeaderlessEffects): void {
    if (this.#walk === undefined) this.begin("reap", upTo, effects);
    else this.#walk.isAgain = true;
  }

  /** What has ended with this step; undefined: the walk goes on. */
  onTimer(effects: LeaderlessEffects): Walk["purpose"] | undefined {
    const walk = this.#walk;
    if (walk === undefined) return undefined;
    const { entries, more } = effects.range(walk.at, undefined, STEP_BYTES, STEP_ENTRIES);
    for (const { key, value } of entries) {
      if (walk.purpose === "reap") this.#reap(walk, key, value, effects);
      else this.#strip(walk, key, value, effects);
    }
    const last = entries.at(-1)?.key;
    if (more && last !== undefined) {
      walk.at = keyAfter(last);
      effects.setTimer(TIMER, STEP_PAUSE_MS);
      return undefined;
    }
    this.#tombstones = walk.left;
    this.#walk = undefined;
    if (walk.isAgain && walk.purpose === "reap") this.begin("reap", walk.upTo, effects);
    return walk.purpose;
  }

  #reap(walk: Walk, key: Uint8Array, record: Uint8Array, effects: LeaderlessEffects): void {
    if (!this.#rules.isTombstone(record)) return;
    if (this.#rules.settling.timeOf(record) > walk.upTo) {
      walk.left++;
      return;
    }
    // Of the state alone: where the log brings it back, a later walk takes it again.
    effects.delete(key);
    this.#touch(key);
    this.#reaped++;
  }

  #strip(walk: Walk, key: Uint8Array, record: Uint8Array, effects: LeaderlessEffects): void {
    const left = this.#rules.settling.stripped(record, walk.upTo);
    if (left === record) return;
    if (left === undefined) effects.delete(key);
    else effects.put(key, left);
    this.#touch(key);
  }
}

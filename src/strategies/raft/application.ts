import type { LogRecord } from "../../core/contracts/storage.ts";
import type { LogSequence } from "../../core/model/ids.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { AppliedPoint, ApplyEntry, ConsensusEffects } from "./consensus-types.ts";
import { kindOfEntry, termOfEntry } from "./entry.ts";
import { violated } from "./invariant.ts";

/** Of reads for the state; those for followers have the numbers from 1 on. */
const TOKEN = 0;
const READ_BYTES = 1_048_576;

/**
 * Gives committed entries to the state, in order, each once (Figure 2, "If commitIndex >
 * lastApplied"), and lets the log forget what neither the state nor a follower needs.
 */
export class Application {
  readonly #core: ConsensusCore;
  /**
   * Read back from the log because memory had forgotten them; the first is the next to apply. None
   * that was not committed when it was asked for: another leader may overwrite it.
   */
  #fetched: readonly LogRecord[] = [];
  /** Up to here it was committed what is being read; undefined: nothing is. */
  #readingTo: number | undefined;
  /** Of which beginning of the log what was read is. */
  #restarts = 0;

  constructor(core: ConsensusCore) {
    this.#core = core;
  }

  owns(token: number): boolean {
    return token === TOKEN;
  }

  take(limitBytes: number, apply: ApplyEntry, effects: ConsensusEffects): boolean {
    const core = this.#core;
    if (core.appliedIndex === core.commitIndex) return false;
    let bytes = 0;
    while (core.appliedIndex < core.commitIndex && bytes < limitBytes) {
      const index = core.appliedIndex + 1;
      const record = core.log.record(index) ?? this.#fetchedRecord(index);
      if (record === undefined) {
        this.#read(index, effects);
        break;
      }
      const term = termOfEntry(record);
      apply(index, term, kindOfEntry(record), record);
      core.appliedIndex = index;
      core.appliedTerm = term;
      bytes += record.length;
    }
    core.history.forgetBefore(core.appliedIndex);
    this.#forget(effects);
    return core.appliedIndex < core.commitIndex && this.#readingTo === undefined;
  }

  onRecords(records: readonly LogRecord[]): void {
    const readingTo = this.#readingTo ?? 0;
    this.#readingTo = undefined;
    this.#fetched = records.filter(({ sequence }) => sequence <= readingTo);
  }

  /** A snapshot has taken the place of what was asked for, or the host deals with the damage. */
  onUnreadable(): void {
    this.#readingTo = undefined;
  }

  point(): AppliedPoint {
    const { appliedIndex, appliedTerm, history, planted } = this.#core;
    const { configuration, index: configurationIndex } = history.at(appliedIndex);
    const index = planted.appliedTwice === true ? Math.max(0, appliedIndex - 1) : appliedIndex;
    return { index, term: appliedTerm, configuration, configurationIndex };
  }

  #fetchedRecord(index: number): Uint8Array | undefined {
    const first = this.#fetched[0]?.sequence;
    if (first === undefined || index < first || this.#restarts !== this.#core.restarts) {
      return undefined;
    }
    const found = this.#fetched[index - first];
    if (found !== undefined && found.sequence !== index) {
      violated("records come without a hole", index, found.sequence);
    }
    return found?.payload;
  }

  #read(index: number, effects: ConsensusEffects): void {
    if (this.#readingTo !== undefined) return;
    this.#readingTo = this.#core.commitIndex;
    this.#restarts = this.#core.restarts;
    this.#fetched = [];
    effects.readLog(TOKEN, index as LogSequence, READ_BYTES);
  }

  #forget(effects: ConsensusEffects): void {
    const { log, appliedIndex, options } = this.#core;
    log.evict(options.limits.memoryBytes);
    const { retainedBytes } = options.limits;
    const below = log.releasable(appliedIndex, retainedBytes, this.#core.wantedFrom);
    if (below !== undefined) effects.releaseLog(below as LogSequence);
  }
}

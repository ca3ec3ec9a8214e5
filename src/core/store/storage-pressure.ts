import type { Storage } from "../contracts/storage.ts";
import { type CapstanError, overloaded } from "../model/errors.ts";

/** Beyond this many times the bound nothing that peers send to replicas is taken either. */
const PEERS_MAY_EXCEED = 2;

/**
 * How much waits for the disk, and what follows from it.
 *
 * Beyond the bound this node's clients are refused new writes, before anything of them is
 * appended. Peers' writes are taken up to twice as much, because their coordinators were told of no
 * bound; beyond it messages to replicas are dropped, which every machine must be able to bear: the
 * senders learn it from the silence; but not those that its codec calls light. What waits in the commit queue waits for the log, and is
 * bounded with it.
 *
 * Memory is never behind. A disk is looked at once a turn; only while it is too much, with everything that comes.
 */
export class StoragePressure {
  readonly #storage: Storage;
  readonly #maxQueuedBytes: number;
  readonly #mayFallBehind: boolean;
  #isHigh = false;

  constructor(storage: Storage, maxQueuedBytes: number) {
    this.#storage = storage;
    this.#maxQueuedBytes = maxQueuedBytes;
    this.#mayFallBehind = storage.log.capabilities.persistent;
  }

  /** At the end of a turn that may have appended. */
  review(): void {
    if (this.#mayFallBehind) this.#isHigh = this.#share() >= 1;
  }

  /** Why a client's write is not taken now; undefined if it is. */
  refusal(): CapstanError | undefined {
    if (!this.#isHigh) return undefined;
    this.review();
    if (!this.#isHigh) return undefined;
    const { log, state } = this.#storage;
    return overloaded(
      `the disk is behind: ${log.queuedBytes} bytes wait for the log ` +
        `(limits.queuedBytes is ${this.#maxQueuedBytes}), and ${state.pendingBytes} for the state ` +
        `(at most ${state.capabilities.maxPendingBytes})`,
    );
  }

  /** Whether a message to a replica has to be dropped. */
  mustDrop(): boolean {
    return this.#isHigh && this.#share() >= PEERS_MAY_EXCEED;
  }

  /** Of the bound that is nearest. */
  #share(): number {
    const { log, state } = this.#storage;
    const ofLog = log.queuedBytes / this.#maxQueuedBytes;
    const ofState = state.pendingBytes / state.capabilities.maxPendingBytes;
    return Math.max(ofLog, ofState);
  }
}

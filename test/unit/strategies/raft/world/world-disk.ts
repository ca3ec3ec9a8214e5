import type { AppliedPoint } from "../../../../../src/strategies/raft/consensus-types.ts";

/** An applied entry, as the world's states keep it. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  readonly text: string;
}

/** A state: everything that was applied, in order. */
export interface StateCommit {
  readonly point: AppliedPoint | undefined;
  readonly entries: readonly AppliedEntry[];
  readonly length: number;
}

type Work =
  | { readonly type: "keep"; readonly name: string; readonly value: Uint8Array | undefined }
  | { readonly type: "append"; readonly record: Uint8Array }
  | { readonly type: "truncate"; readonly index: number }
  | { readonly type: "reset"; readonly next: number }
  | { readonly type: "state"; readonly commit: StateCommit; readonly isInstall: boolean };

export const NO_STATE: StateCommit = { point: undefined, entries: [], length: 0 };

/** What a disk holds: kept records and the shard's log, from `first` on. */
export class DiskImage {
  readonly kept = new Map<string, Uint8Array>();
  first = 1;
  log: Uint8Array[] = [];

  get last(): number {
    return this.first + this.log.length - 1;
  }

  record(index: number): Uint8Array | undefined {
    return this.log[index - this.first];
  }

  clone(): DiskImage {
    const copy = new DiskImage();
    for (const [name, value] of this.kept) copy.kept.set(name, value);
    copy.first = this.first;
    copy.log = this.log.slice();
    return copy;
  }

  do(work: Work): void {
    if (work.type === "keep") {
      if (work.value === undefined) this.kept.delete(work.name);
      else this.kept.set(work.name, work.value);
    } else if (work.type === "append") this.log.push(work.record);
    else if (work.type === "truncate") this.log.length = Math.max(0, work.index - this.first + 1);
    else if (work.type === "reset") {
      this.first = work.next;
      this.log = [];
    }
  }

  release(below: number): void {
    if (below <= this.first) return;
    this.log.splice(0, below - this.first);
    this.first = below;
  }
}

/**
 * One node's disk: works become durable in their order, a crash loses an end of those that are
 * not, and the state falls back to any commit at or after its own durable one.
 */
export class WorldDisk {
  /** As the running process sees it. */
  image = new DiskImage();
  durable = new DiskImage();
  state: StateCommit = NO_STATE;
  durableState: StateCommit = NO_STATE;
  position = 0;
  durablePosition = 0;
  #pending: Work[] = [];
  #commits: StateCommit[] = [];

  add(work: Work): void {
    this.image.do(work);
    this.#pending.push(work);
    this.position++;
  }

  /** Everything up to `position` is on the disk. */
  sync(position: number): void {
    while (this.durablePosition < position) this.#land(this.#pending.shift() as Work);
  }

  /** The state's own commits so far are on the disk, too. */
  syncState(): void {
    this.durableState = this.state;
    this.#commits = [];
  }

  /** The newest record that is durable, and was not cut since. */
  get durableSequence(): number {
    let sequence = this.durable.last;
    for (const work of this.#pending) {
      if (work.type === "truncate") sequence = Math.min(sequence, work.index);
      else if (work.type === "reset") sequence = 0;
    }
    return sequence;
  }

  release(below: number): void {
    const limit = (this.durableState.point?.index ?? 0) + 1;
    this.image.release(Math.min(below, limit));
    this.durable.release(Math.min(below, limit, this.durable.last + 1));
  }

  /** Between two lives. */
  giveUpLog(next: number): void {
    this.durable.do({ type: "reset", next });
    this.image = this.durable.clone();
  }

  /** Between two lives: the state is gone, and of the log what lies behind `last`. */
  loseBehind(last: number): void {
    this.state = NO_STATE;
    this.durableState = NO_STATE;
    this.durable.do({ type: "truncate", index: Math.min(last, this.durable.last) });
    this.image = this.durable.clone();
  }

  /** @param pick a draw below the number given. */
  crash(pick: (below: number) => number): void {
    const survivors = pick(this.#pending.length + 1);
    for (let i = 0; i < survivors; i++) this.#land(this.#pending.shift() as Work);
    this.#pending = [];
    this.position = this.durablePosition;
    const kept = pick(this.#commits.length + 1);
    this.state = kept === 0 ? this.durableState : (this.#commits[kept - 1] as StateCommit);
    this.durableState = this.state;
    this.#commits = [];
    this.image = this.durable.clone();
  }

  #land(work: Work): void {
    this.durablePosition++;
    if (work.type === "state") {
      this.state = work.commit;
      this.#commits.push(work.commit);
      // The log of what a new generation replaces goes only with it.
      if (work.isInstall) this.syncState();
    } else this.durable.do(work);
  }
}

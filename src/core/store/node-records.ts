import type { LogReadResult, StateMutation, Storage } from "../contracts/storage.ts";
import { NODE_SHARD, StateDamageError } from "../contracts/storage.ts";
import { ByteReader, ByteWriter } from "../model/bytes.ts";
import { type LogPosition, type LogSequence, NO_POSITION } from "../model/ids.ts";
import { MalformedBytesError } from "../model/malformed-bytes-error.ts";
import { APPLIED_KEY, appliedBytes, appliedSequenceOf } from "./applied-sequence.ts";
import { MachineCell } from "./machine-cell.ts";
import { ShardState } from "./shard-state.ts";

const FORMAT = 1;
const READ_BYTES = 256 * 1024;
const ALL_BYTES = 64 * 1024 * 1024;
const MAX_KEY_BYTES = 1_024;
/** Of a record, beside its name and its value. */
const ENCODED_BYTES = 4;

/** What takes the stores' news once there is a host; until then nothing is appended. */
export interface StorageListener {
  onDurable(position: LogPosition): void;
  onFailed(error: Error): void;
}

/** Appends a record of the node's own, and commits `mutations` once it is durable. */
export type KeepRecord = (
  cell: MachineCell,
  payload: Uint8Array,
  mutations: readonly StateMutation[],
) => LogPosition;

/**
 * What a node keeps about itself: a small table of names and bytes, in memory as a whole. Each
 * change is a record in the log of `NODE_SHARD`, synced whatever the keyspaces ask for, and is
 * folded into that shard's `meta` when it is durable; the log may then drop it.
 *
 * Where the storage does not persist, the table is all there is: a change is as durable at once as
 * it will ever be.
 */
export class NodeRecords {
  /** Why what was kept cannot be read; the table is empty then. */
  readonly damage: string | undefined;
  readonly #storage: Storage;
  readonly #entries: Map<string, Uint8Array>;
  readonly #cell: MachineCell;
  readonly #isPersistent: boolean;
  /** Changes that the log has and the state has not. */
  #unfolded: StateMutation[] = [];
  #waiting: { readonly position: LogPosition; readonly done: () => void }[] = [];
  #listener: StorageListener | undefined;
  #earlyFailure: Error | undefined;
  #keep: KeepRecord | undefined;

  private constructor(storage: Storage, found: Found) {
    this.#storage = storage;
    this.#isPersistent = storage.log.capabilities.persistent;
    this.#entries = found.entries;
    this.#unfolded = found.unfolded;
    this.damage = found.damage;
    this.#cell = makeCell(storage);
    this.#cell.lastSequence = storage.log.lastSequence(NODE_SHARD);
  }

  /** Starts both stores, and reads back what an earlier start has kept. */
  static async open(storage: Storage): Promise<NodeRecords> {
    let records: NodeRecords | undefined;
    let failure: Error | undefined;
    const onDurable = (position: LogPosition): void => {
      if (records !== undefined) records.#durable(position);
    };
    const onFailed = (error: Error): void => {
      if (records === undefined) failure ??= error;
      else records.#failed(error);
    };
    storage.log.start({ onDurable, onFailed });
    storage.state.start({ onFailed });
    const found = storage.log.capabilities.persistent ? await read(storage) : nothing();
    records = new NodeRecords(storage, found);
    if (failure !== undefined) records.#failed(failure);
    return records;
  }

  /** From here on changes can be kept. What failed before is told at once. */
  attach(listener: StorageListener, keep: KeepRecord): void {
    this.#listener = listener;
    this.#keep = keep;
    if (this.#earlyFailure !== undefined) listener.onFailed(this.#earlyFailure);
  }

  get(name: string): Uint8Array | undefined {
    return this.#entries.get(name);
  }

  names(prefix: string): readonly string[] {
    return [...this.#entries.keys()].filter((name) => name.startsWith(prefix));
  }

  /**
   * Durable when `done` is called: at once, inside the call, where nothing persists. Returns the
   * record's place in the log. Throws what the log throws.
   */
  put(name: string, value: Uint8Array, done?: () => void): LogPosition {
    this.#entries.set(name, value);
    return this.#change(name, value, done);
  }

  /** As `put`. Without effect on a name that is not there. */
  delete(name: string): LogPosition {
    return this.#entries.delete(name) ? this.#change(name, undefined, undefined) : NO_POSITION;
  }

  /** Gives up what cannot be read, and begins anew: nobody else knows what it was. */
  beginAnew(): void {
    const { log, state } = this.#storage;
    const last = log.lastSequence(NODE_SHARD);
    this.#cell.lastPosition = log.reset(NODE_SHARD, (last + 1) as LogSequence);
    this.#cell.lastSequence = last;
    const generation = state.newGeneration(NODE_SHARD);
    const where = { shard: NODE_SHARD, space: "meta", key: APPLIED_KEY } as const;
    state.commit({
      mutations: [
        { type: "put", ...where, value: appliedBytes(last), generation },
        { type: "switch-generation", shard: NODE_SHARD, generation },
      ],
      position: state.committedPosition,
    });
  }

  #change(name: string, value: Uint8Array | undefined, done?: () => void): LogPosition {
    if (!this.#isPersistent) {
      done?.();
      return NO_POSITION;
    }
    if (this.#keep === undefined) throw new Error("no record can be kept yet");
    const mutations = [...this.#unfolded, mutationOf(name, value)];
    this.#unfolded = [];
    const position = this.#keep(this.#cell, encode(name, value), mutations);
    if (done !== undefined) this.#waiting.push({ position, done });
    return position;
  }

  /** What waits for a record hears of it before any word that waits for the same position leaves. */
  #durable(position: LogPosition): void {
    if (this.#waiting.length > 0) this.#tellKeepers(position);
    this.#listener?.onDurable(position);
  }

  #tellKeepers(position: LogPosition): void {
    const heard = this.#waiting.findIndex((each) => each.position > position);
    const due = this.#waiting.splice(0, heard < 0 ? this.#waiting.length : heard);
    for (const { done } of due) done();
  }

  #failed(error: Error): void {
    if (this.#listener === undefined) this.#earlyFailure ??= error;
    else this.#listener.onFailed(error);
  }
}

interface Found {
  readonly entries: Map<string, Uint8Array>;
  readonly unfolded: StateMutation[];
  readonly damage: string | undefined;
}

function nothing(damage?: string): Found {
  return { entries: new Map(), unfolded: [], damage };
}

async function read(storage: Storage): Promise<Found> {
  try {
    // Asked for first: the log may know of lost records, and not whose they were.
    storage.log.lastSequence(NODE_SHARD);
    if (storage.log.health().damagedShards.includes(NODE_SHARD)) {
      return nothing("the node's own records in the log are damaged");
    }
    const entries = readFolded(storage);
    const unfolded = await readTail(storage, entries);
    return { entries, unfolded, damage: undefined };
  } catch (error) {
    if (error instanceof StateDamageError || error instanceof MalformedBytesError) {
      return nothing(`the node's own records are damaged: ${error.message}`);
    }
    throw error;
  }
}

function readFolded({ state }: Storage): Map<string, Uint8Array> {
  const view = state.view(NODE_SHARD);
  try {
    const { entries } = view.range("meta", undefined, undefined, ALL_BYTES);
    const kept = entries.filter(({ key }) => Buffer.compare(key, APPLIED_KEY) !== 0);
    return new Map(kept.map(({ key, value }) => [Buffer.from(key).toString("utf8"), value]));
  } finally {
    view.close();
  }
}

/** Records above what is folded in: merged into `entries`, and given back as what is to be folded. */
async function readTail(
  storage: Storage,
  entries: Map<string, Uint8Array>,
): Promise<StateMutation[]> {
  const { log } = storage;
  const unfolded: StateMutation[] = [];
  const applied = appliedSequenceOf(storage, NODE_SHARD);
  const last = log.lastSequence(NODE_SHARD);
  if (last < applied) {
    throw new MalformedBytesError(`the log ends at ${last}, and the state includes ${applied}`);
  }
  let from = applied + 1;
  while (from <= last) {
    const result = await new Promise<LogReadResult>((resolve) => {
      log.read(NODE_SHARD, from as LogSequence, READ_BYTES, resolve);
    });
    if (result.type === "damaged") throw new MalformedBytesError(result.error.message);
    if (result.type === "compacted") {
      throw new MalformedBytesError(`the log lacks the records ${from} to ${result.first - 1}`);
    }
    if (result.records.length === 0) break;
    for (const { payload, sequence } of result.records) {
      const { name, value } = decode(payload);
      if (value === undefined) entries.delete(name);
      else entries.set(name, value);
      unfolded.push(mutationOf(name, value));
      from = sequence + 1;
    }
  }
  return unfolded;
}

function mutationOf(name: string, value: Uint8Array | undefined): StateMutation {
  const key = Buffer.from(name, "utf8");
  const where = { shard: NODE_SHARD, space: "meta", key } as const;
  return value === undefined ? { type: "delete", ...where } : { type: "put", ...where, value };
}

function encode(name: string, value: Uint8Array | undefined): Uint8Array {
  const writer = new ByteWriter(ENCODED_BYTES + 3 * name.length + (value?.length ?? 0));
  writer.u8(FORMAT);
  writer.u8(value === undefined ? 0 : 1);
  writer.string(name);
  if (value !== undefined) writer.raw(value);
  return writer.copy();
}

function decode(payload: Uint8Array): { name: string; value: Uint8Array | undefined } {
  const reader = new ByteReader(payload);
  const format = reader.u8();
  if (format !== FORMAT) throw new MalformedBytesError(`format ${format} of a node's record`);
  const isPut = reader.u8() === 1;
  const name = reader.string(MAX_KEY_BYTES);
  if (isPut) return { name, value: Uint8Array.from(reader.raw(reader.remaining)) };
  reader.end();
  return { name, value: undefined };
}

/** The node's own shard has no machine: nothing ever steps in this cell. */
function makeCell(storage: Storage): MachineCell {
  return new MachineCell({
    role: "replica",
    keyspaceHash: 0,
    shardIndex: 0,
    shardId: NODE_SHARD,
    durability: "fsync",
    state: new ShardState(storage.state, NODE_SHARD),
    machine: { step: () => undefined, describe: () => ({}) },
  });
}

import { type LogPosition, NO_POSITION } from "../model/ids.ts";
import type { MachineCell } from "./machine-cell.ts";

const MAX_NAME_CHARACTERS = 64;
const MAX_VALUE_BYTES = 4_096;
const PREFIX = "keep";

/** The part of `NodeRecords` that is needed here. */
export interface RecordTable {
  get(name: string): Uint8Array | undefined;
  put(name: string, value: Uint8Array): LogPosition;
  delete(name: string): LogPosition;
}

/**
 * What replicas keep of their own: rows of the node's table, each under its shard.
 *
 * They are the node's and not the shard's: a shard whose log is reset, or whose state begins anew,
 * still finds what it has promised. They go with the store's id, when its data is set aside.
 */
export class MachineRecords {
  readonly #table: RecordTable;

  constructor(table: RecordTable) {
    this.#table = table;
  }

  get(cell: MachineCell, name: string): Uint8Array | undefined {
    return this.#table.get(nameOf(cell, name));
  }

  /** The words of `cell` wait from here on until all is durable. Throws what the log throws. */
  keepAll(cell: MachineCell, values: ReadonlyMap<string, Uint8Array | undefined>): void {
    for (const [name, value] of values) this.#keep(cell, name, value);
  }

  #keep(cell: MachineCell, name: string, value: Uint8Array | undefined): void {
    const full = nameOf(cell, name);
    const before = this.#table.get(full);
    // The cell's position is at or above that of the record that has the same.
    if (before !== undefined && value !== undefined && Buffer.compare(before, value) === 0) return;
    const position = value === undefined ? this.#table.delete(full) : this.#table.put(full, value);
    if (position !== NO_POSITION) cell.lastPosition = position;
  }
}

export function checkRecord(name: string, value: Uint8Array | undefined): void {
  if (name.length < 1 || name.length > MAX_NAME_CHARACTERS) {
    const allowed = `allowed are 1 to ${MAX_NAME_CHARACTERS} characters`;
    throw new RangeError(`keep: the name "${name}" has ${name.length} characters; ${allowed}`);
  }
  if (value !== undefined && value.length > MAX_VALUE_BYTES) {
    const allowed = `allowed are at most ${MAX_VALUE_BYTES}`;
    throw new RangeError(`keep: the value of "${name}" has ${value.length} bytes; ${allowed}`);
  }
}

function nameOf(cell: MachineCell, name: string): string {
  return `${PREFIX}/${cell.shardId}/${name}`;
}

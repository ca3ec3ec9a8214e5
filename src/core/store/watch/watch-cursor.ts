import { ByteReader, ByteWriter } from "../../model/bytes.ts";
import { CapstanError } from "../../model/errors.ts";
import { hash32 } from "../../model/hash.ts";
import { readVarint, writeVarint } from "../../model/varint.ts";
import type { FeedPosition } from "./change-feed.ts";

const FORMAT = 1;
const CHECK_BYTES = 4;

/**
 * How far a watch has come in each shard of its keyspace, and the opaque text for it: base64url of
 *
 *     format u8 | keyspace hash u32 | shards varint |
 *     orders varint | { length u8, UTF-8 }* |
 *     { order + 1 varint | sequence varint | offset + 1 varint }* | hash32 u32
 *
 * with one entry per shard; an order of 0 stands for a shard where the watch had not begun yet.
 */
export class WatchPositions {
  readonly #keyspaceHash: number;
  readonly #positions: (FeedPosition | undefined)[];
  readonly #writer = new ByteWriter();

  constructor(keyspaceHash: number, shardCount: number) {
    this.#keyspaceHash = keyspaceHash;
    this.#positions = new Array(shardCount).fill(undefined);
  }

  /** @throws CapstanError `INVALID_CURSOR`: damaged, or another keyspace's. */
  static parse(keyspaceHash: number, shardCount: number, cursor: string): WatchPositions {
    const positions = tryDecode(keyspaceHash, shardCount, cursor);
    if (positions === undefined) {
      throw new CapstanError(
        "INVALID_CURSOR",
        `the cursor ${JSON.stringify(cursor.slice(0, 60))} was not made by a watch of this ` +
          "keyspace, or is damaged; watch without one from now on",
      );
    }
    const made = new WatchPositions(keyspaceHash, shardCount);
    for (const [shardIndex, position] of positions.entries())
      made.#positions[shardIndex] = position;
    return made;
  }

  get(shardIndex: number): FeedPosition | undefined {
    return this.#positions[shardIndex];
  }

  set(shardIndex: number, position: FeedPosition): void {
    this.#positions[shardIndex] = position;
  }

  toString(): string {
    const orders = new Map<string, number>();
    for (const position of this.#positions) {
      if (position !== undefined && !orders.has(position.order)) {
        orders.set(position.order, orders.size);
      }
    }
    const writer = this.#writer;
    writer.reset();
    writer.u8(FORMAT);
    writer.u32(this.#keyspaceHash);
    writeVarint(writer, this.#positions.length);
    writeVarint(writer, orders.size);
    for (const order of orders.keys()) {
      const name = Buffer.from(order, "utf8");
      writer.u8(name.length);
      writer.raw(name);
    }
    for (const position of this.#positions) {
      if (position === undefined) {
        writer.u8(0);
        continue;
      }
      writeVarint(writer, (orders.get(position.order) as number) + 1);
      writeVarint(writer, position.sequence);
      writeVarint(writer, position.offset + 1);
    }
    writer.u32(hash32(writer.view()));
    return Buffer.from(writer.view()).toString("base64url");
  }
}

function tryDecode(
  keyspaceHash: number,
  shardCount: number,
  cursor: string,
): readonly (FeedPosition | undefined)[] | undefined {
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.length < CHECK_BYTES || bytes.toString("base64url") !== cursor) return undefined;
  const checked = bytes.subarray(0, bytes.length - CHECK_BYTES);
  if (bytes.readUInt32BE(checked.length) !== hash32(checked)) return undefined;
  try {
    const reader = new ByteReader(checked);
    if (reader.u8() !== FORMAT || reader.u32() !== keyspaceHash) return undefined;
    if (readVarint(reader) !== shardCount) return undefined;
    const orderCount = readVarint(reader);
    // A cursor is a client's: what it counts is not believed before room is made for it.
    if (orderCount > shardCount) return undefined;
    const orders = Array.from({ length: orderCount }, () =>
      Buffer.from(reader.raw(reader.u8())).toString("utf8"),
    );
    const positions = Array.from({ length: shardCount }, () => readPosition(reader, orders));
    reader.end();
    return positions;
  } catch {
    return undefined;
  }
}

function readPosition(reader: ByteReader, orders: readonly string[]): FeedPosition | undefined {
  const order = readVarint(reader);
  if (order === 0) return undefined;
  const name = orders[order - 1];
  if (name === undefined) throw new RangeError(`order ${order} of ${orders.length}`);
  return { order: name, sequence: readVarint(reader), offset: readVarint(reader) - 1 };
}

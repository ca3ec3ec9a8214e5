import { describe, expect, test } from "vitest";
import { RECORD_HEADER_BYTES } from "../../../../../src/storage/disk/log/record-format.ts";
import type { RecordPlace } from "../../../../../src/storage/disk/log/record-slots.ts";
import type { Extent } from "../../../../../src/storage/disk/log/segment.ts";
import { ShardIndex } from "../../../../../src/storage/disk/log/shard-index.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";

const STEPS = 400;

function newExtent(): Extent {
  return { segment: undefined, offset: 0, seed: 0, live: 0, memory: undefined };
}

/** A list of places, and nothing clever. */
class PlainIndex {
  first = 1;
  places: RecordPlace[] = [];

  get last(): number {
    return this.first + this.places.length - 1;
  }

  release(sequence: number): void {
    const count = Math.max(0, Math.min(sequence, this.last + 1) - this.first);
    this.places.splice(0, count);
    this.first += count;
  }
}

function checkSame(index: ShardIndex, plain: PlainIndex, extents: readonly Extent[]): void {
  expect([index.first, index.last]).toEqual([plain.first, plain.last]);
  expect(index.isEmpty).toBe(plain.places.length === 0);
  const live = new Map<Extent, number>();
  const wrong: number[] = [];
  for (const [at, place] of plain.places.entries()) {
    const sequence = plain.first + at;
    const found = index.at(sequence) as RecordPlace;
    const isSame = found.at === place.at && found.payloadBytes === place.payloadBytes;
    const { extent } = place;
    if (!isSame || found.extent !== extent || index.extentOf(sequence) !== extent) {
      wrong.push(sequence);
    }
    live.set(extent, (live.get(extent) ?? 0) + RECORD_HEADER_BYTES + place.payloadBytes);
  }
  expect(wrong).toEqual([]);
  expect(extents.map((extent) => extent.live)).toEqual(extents.map((each) => live.get(each) ?? 0));
  expect(index.at(plain.first - 1)).toBeUndefined();
  expect(index.at(plain.last + 1)).toBeUndefined();
}

/** Sequences from `first` to `last`, one more on either side. */
function around(random: SeededRandom, plain: PlainIndex): number {
  return plain.first - 1 + (random.uint32() % (plain.places.length + 2));
}

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
  test("places and live bytes are those of a plain list", () => {
    const random = new SeededRandom(seed);
    const extents = [newExtent()];
    const index = new ShardIndex(1, extents[0] as Extent);
    const plain = new PlainIndex();
    const placeOf = (payloadBytes: number): RecordPlace => {
      if (random.uint32() % 20 === 0) extents.push(newExtent());
      return { extent: extents.at(-1) as Extent, at: random.uint32(), payloadBytes };
    };
    for (let step = 0; step < STEPS; step += 1) {
      const kind = random.uint32() % 16;
      if (kind < 9) {
        for (let left = random.uint32() % 40; left > 0; left -= 1) {
          const place = placeOf(random.uint32() % 1_000);
          index.append(place.extent, place.at, place.payloadBytes);
          plain.places.push(place);
        }
      } else if (kind < 12) {
        const sequence = around(random, plain);
        index.release(sequence);
        plain.release(sequence);
      } else if (kind === 12) {
        const sequence = Math.max(plain.first - 1, plain.last - (random.uint32() % 30));
        index.truncate(sequence);
        plain.places.length = sequence - plain.first + 1;
      } else if (kind < 15 && plain.places.length > 0) {
        const at = random.uint32() % plain.places.length;
        const place = placeOf((plain.places[at] as RecordPlace).payloadBytes);
        index.move(plain.first + at, place);
        plain.places[at] = place;
      } else if (kind === 15 && random.uint32() % 4 === 0) {
        const next = plain.last + 1 + (random.uint32() % 50);
        index.restart(next);
        plain.release(plain.last + 1);
        plain.first = next;
      }
      checkSame(index, plain, extents);
    }
  });

  test("records that are put in front are there, and count no more than they did", () => {
    const random = new SeededRandom(seed);
    const [old, young] = [newExtent(), newExtent()];
    const index = new ShardIndex(100, young);
    for (let at = 0; at < 90; at += 1) index.append(young, at, 5);
    index.release(100 + (random.uint32() % 80));
    const { first, last } = index;
    const live = young.live;
    const places = Array.from({ length: 7 }, (_, at) => ({ extent: old, at, payloadBytes: 9 }));
    index.prepend(places);
    expect([index.first, index.last, old.live, young.live]).toEqual([first - 7, last, 0, live]);
    expect(index.at(first - 7)).toEqual(places[0]);
    expect(index.at(first)?.at).toBe(first - 100);
  });
});

import { expect, test } from "vitest";
import { OrderedBytes, type OrderedPicture } from "../../../src/storage/ordered-bytes.ts";
import { SeededRandom } from "../../support/seeded-random.ts";

type Model = Map<string, string>;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** The obvious way: hex text orders as the bytes do. */
function modelRange(model: Model, from?: Uint8Array, to?: Uint8Array): string[] {
  return [...model.keys()]
    .filter(
      (key) => (from === undefined || key >= hex(from)) && (to === undefined || key < hex(to)),
    )
    .sort()
    .map((key) => `${key}=${model.get(key)}`);
}

function pictured(picture: OrderedPicture, from?: Uint8Array, to?: Uint8Array): string[] {
  const { entries, more } = picture.range(from, to, Number.POSITIVE_INFINITY);
  expect(more).toBe(false);
  return entries.map(({ key, value }) => `${hex(key)}=${hex(value)}`);
}

test.each([1, 2, 3, 4])("agrees with a sorted map over any history, seed %i", (seed) => {
  const random = new SeededRandom(seed);
  const draw = (below: number): number => random.uint32() % below;
  const key = (): Uint8Array => random.bytes(draw(3));
  const bound = (): Uint8Array | undefined => (draw(5) === 0 ? undefined : key());
  const ordered = new OrderedBytes();
  let model: Model = new Map();
  let open: { picture: OrderedPicture; model: Model }[] = [];
  for (let step = 0; step < 6_000; step += 1) {
    const choice = draw(100);
    if (choice < 60) {
      const [at, value] = [key(), random.bytes(2)];
      ordered.set(at, value);
      model.set(hex(at), hex(value));
    } else if (choice < 85) {
      const at = key();
      ordered.delete(at);
      model.delete(hex(at));
    } else if (choice < 87) {
      const [from, to] = [bound(), bound()];
      ordered.deleteRange(from, to);
      model = new Map(model);
      for (const each of modelRange(model, from, to)) model.delete(each.split("=")[0] as string);
    } else if (choice < 92 && open.length < 4) {
      open.push({ picture: ordered.openPicture(), model: new Map(model) });
    } else if (choice < 96 && open.length > 0) {
      for (const each of open.splice(draw(open.length), 1)) each.picture.close();
    } else if (choice >= 98) {
      const [from, to] = [bound(), bound()];
      const now = { picture: ordered.openPicture(), model };
      for (const each of [...open, now]) {
        expect(pictured(each.picture, from, to)).toEqual(modelRange(each.model, from, to));
      }
      now.picture.close();
    }
    const at = key();
    expect(hex(ordered.get(at) ?? bytes())).toBe(model.get(hex(at)) ?? "");
    expect(ordered.size).toBe(model.size);
  }
  for (const { picture, model: then } of open) {
    for (const [at, value] of then) {
      expect(hex(picture.get(Buffer.from(at, "hex")) ?? bytes())).toBe(value);
    }
  }
  open = [];
});

test("an overwritten value is the old one in an open picture, also the second time", () => {
  const ordered = new OrderedBytes();
  ordered.set(bytes(1), bytes(10));
  const first = ordered.openPicture();
  ordered.set(bytes(1), bytes(11));
  const second = ordered.openPicture();
  ordered.set(bytes(1), bytes(12));
  ordered.set(bytes(1), bytes(13));
  expect([first.get(bytes(1)), second.get(bytes(1)), ordered.get(bytes(1))]).toEqual([
    bytes(10),
    bytes(11),
    bytes(13),
  ]);
});

test("a Buffer and a Uint8Array of the same bytes are the same key", () => {
  const ordered = new OrderedBytes();
  ordered.set(Buffer.from([0, 200, 255]), bytes(1));
  ordered.set(bytes(9, 0, 200, 255, 9).subarray(1, 4), bytes(2));
  expect(ordered.size).toBe(1);
  expect(ordered.get(bytes(0, 200, 255))).toEqual(bytes(2));
});

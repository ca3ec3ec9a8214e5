import { describe, expect, test } from "vitest";
import { parseLine } from "../../../../src/cli/loading/parse-line.ts";
import { readLines, type TextLine } from "../../../../src/cli/loading/read-lines.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { streamOf } from "../fake-surroundings.ts";

async function linesOf(
  chunks: readonly (string | Uint8Array)[],
  maxLineBytes?: number,
): Promise<TextLine[]> {
  const lines: TextLine[] = [];
  for await (const line of readLines(streamOf(...chunks), maxLineBytes)) lines.push(line);
  return lines;
}

const texts = async (...chunks: string[]) => (await linesOf(chunks)).map(({ text }) => text);

describe("lines of a stream", () => {
  test("are cut at line ends of both kinds, wherever the chunks are cut", async () => {
    expect(await texts("a\nb\r\n", "c", "c\nd")).toEqual(["a", "b", "cc", "d"]);
    expect(await texts("a\r", "\nb\n")).toEqual(["a", "b"]);
    expect(await texts("")).toEqual([]);
    expect(await texts("\n\n")).toEqual(["", ""]);
  });

  test("are numbered from 1, empty ones counted", async () => {
    const lines = await linesOf(["a\n\nb"]);
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test("lose a byte order mark at the very start alone", async () => {
    expect(await texts("\uFEFFa\n\uFEFFb")).toEqual(["a", "\uFEFFb"]);
  });

  test("keep characters whose bytes lie in two chunks", async () => {
    const bytes = Buffer.from("ä€😀\n");
    const lines = await linesOf([...bytes].map((byte) => Uint8Array.of(byte)));
    expect(lines).toEqual([{ number: 1, endsAt: 10, text: "ä€😀" }]);
  });

  test("that are not UTF-8 are named, and the next ones are read", async () => {
    const lines = await linesOf([Uint8Array.of(0x61, 0xff, 0x0a), "b\n"]);
    expect(lines).toEqual([
      { number: 1, endsAt: 3, problem: "it is not UTF-8 text" },
      { number: 2, endsAt: 5, text: "b" },
    ]);
  });

  test("say where they end, wherever the chunks are cut", async () => {
    const ends = (await linesOf(["a\r\nb", "b\n\nc", "c"])).map(({ endsAt }) => endsAt);
    expect(ends).toEqual([3, 6, 7, 9]);
  });

  test("have a bound, up to which they are taken", async () => {
    const lines = await linesOf(["12345\n123456\n", "1234", "567\nok"], 5);
    expect(lines.map(({ text }) => text)).toEqual(["12345", undefined, undefined, "ok"]);
    expect(lines[2]?.problem).toBe("it has 7 bytes; a line has at most 5");
  });
});

describe("a line of a load", () => {
  const parsed = (text: string) => parseLine({ number: 7, text });

  test("is a key and a value, any JSON", () => {
    expect(parsed('{"key":"a b/😀","value":null}')).toEqual({
      kind: "entry",
      number: 7,
      key: "a b/😀",
      value: null,
    });
  });

  test("may be one that scan printed", () => {
    expect(parsed('{"key":"k","value":1,"version":"v"}')).toMatchObject({ key: "k", value: 1 });
  });

  test.each([
    [
      "a date and what is shown of it",
      new Date(0),
      { value: { $date: "1970-01-01T00:00:00.000Z" } },
    ],
    ["bytes alone", new Uint8Array([7]), {}],
  ])("may hold the encoding of %s", (_what, value, shown) => {
    const encoded = Buffer.from(encodeValue(value)).toString("base64url");
    const line = parsed(JSON.stringify({ key: "k", ...shown, encoded }));
    expect(line).toEqual({ kind: "entry", number: 7, key: "k", value });
  });

  test("may be blank", () => {
    expect(parsed("  \t")).toEqual({ kind: "blank", number: 7 });
  });

  test.each([
    ["{", "it is not JSON"],
    ["[1]", "it is not an object"],
    ["null", "it is not an object"],
    ['{"value":1}', '"key" is missing'],
    ['{"key":5,"value":1}', "no string"],
    ['{"key":"k"}', '"value" is missing'],
    ['{"key":"k","vlaue":1}', 'it has a field "vlaue"; known are key, value, encoded'],
    ['{"key":"k","value":1,"value":2}', "stands twice"],
    ['{"key":"k","encoded":5}', '"encoded" is not what `capstan scan --json` prints'],
    ['{"key":"k","encoded":"AYE="}', '"encoded" is not what `capstan scan --json` prints'],
    ['{"key":"k","encoded":"_w"}', '"encoded" is not what `capstan scan --json` prints'],
    ['{"key":"k","value":1,"encoded":"AYI"}', '"value" and "encoded" do not say the same'],
    ['{"key":"k","value":90071992547409931}', "beyond 2^53"],
  ])("%s is bad, and it is said why", (text, problem) => {
    const line = parsed(text);
    expect(line).toMatchObject({ kind: "bad", number: 7 });
    expect(line.kind === "bad" && line.problem).toContain(problem);
  });

  test("that could not be read keeps its problem", () => {
    expect(parseLine({ number: 1, problem: "it is not UTF-8 text" })).toMatchObject({
      kind: "bad",
      problem: "it is not UTF-8 text",
    });
  });
});

import type { Level } from "../core/model/levels.ts";
import type { ReadResult } from "../core/model/operations.ts";
import type { Receipt } from "../core/model/receipt.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";
import { type Call, checkOneAnswerEach, type EngineProbe } from "./strategy-engine-probe.ts";
import { check, checkEqual, shown, until } from "./suite.ts";

export interface EngineCase {
  readonly name: string;
  readonly run: (probe: EngineProbe) => Promise<void>;
}

function checkReceipt({ receipt }: { readonly receipt: Receipt }, asked: Level): void {
  checkEqual(receipt.asked, asked, "receipt.asked");
  check(receipt.consistent, () => `the level was met, and the receipt says ${shown(receipt)}`);
  const { total, answered, durable, standIns } = receipt.replicas;
  check(answered >= 1 && answered <= total, `${answered} of ${total} replicas answered`);
  check(durable >= 0 && durable <= answered, `${durable} of ${answered} are durable`);
  check(standIns >= 0, `${standIns} stand-ins`);
  check(receipt.durationMs >= 0, `it took ${receipt.durationMs} ms`);
}

function keysOf(entries: readonly { readonly key: Uint8Array }[]): string {
  return entries.map(({ key }) => new TextDecoder().decode(key)).join(" ");
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const ANSWERS: readonly EngineCase[] = [
  {
    name: "what was written is read, overwritten and deleted, with receipts that are true",
    run: async (probe) => {
      const absent = await probe.read("k");
      checkEqual([absent.found, absent.value], [false, undefined], "a key that was never written");
      for (const value of ["one", "two"]) {
        const written = await probe.written("k", value);
        check(written.version.length > 0, "a write without a version");
        checkReceipt(written, probe.under.level);
        const read = await probe.read("k");
        checkEqual([read.found, read.value], [true, encodeValue(value)], `after writing ${value}`);
        checkEqual(read.version, written.version, "the version that is read");
        checkReceipt(read, probe.under.level);
      }
      checkReceipt(await probe.deleted("k"), probe.under.level);
      checkEqual(await probe.value("k"), undefined, "after the delete");
      await probe.written("k", "three");
      checkEqual(await probe.value("k"), "three", "after writing over the delete");
    },
  },
  {
    name: "each write has a version of its own",
    run: async (probe) => {
      const versions = new Set<string>();
      for (const value of ["a", "a", "b"]) versions.add((await probe.written("k", value)).version);
      versions.add((await probe.deleted("k")).version);
      checkEqual(versions.size, 4, "different versions of four writes");
    },
  },
  {
    name: "operations that run at once are each answered once",
    run: async (probe) => {
      const count = Math.min(60, probe.under.bound);
      const calls: Call<unknown>[] = [];
      for (let at = 0; at < count; at += 1) {
        const key = `k${at % 5}`;
        if (at % 3 === 0) calls.push(probe.put(key, `v${at}`));
        else if (at % 7 === 1) calls.push(probe.execute(probe.operation("delete", { key })));
        else calls.push(probe.execute(probe.operation("get", { key })));
      }
      await checkOneAnswerEach(probe, calls);
      for (const call of calls) await call.result();
    },
  },
  {
    name: "concurrent writes of one key leave one of them",
    run: async (probe) => {
      const values = Array.from({ length: 8 }, (_, at) => `v${at}`);
      const calls = values.map((value) => probe.put("k", value));
      await checkOneAnswerEach(probe, calls);
      const found = await probe.value("k");
      check(found !== undefined && values.includes(found), `the key holds ${found}`);
      checkEqual(await probe.value("k"), found, "the next read");
    },
  },
  {
    name: "an operation's bytes are not changed, nor those of a result",
    run: async (probe) => {
      const operation = probe.operation("put", { key: "k", value: "before" });
      await probe.execute(operation).result();
      checkEqual(
        [operation.key, operation.value],
        [utf8("k"), encodeValue("before")],
        "the operation",
      );
      const read = await probe.read("k");
      await probe.written("k", "behind");
      await probe.deleted("k");
      checkEqual(read.value, encodeValue("before"), "a value that was read earlier");
    },
  },
  {
    name: "readNow answers with a value that was written, or not at all",
    run: async (probe) => {
      await probe.written("k", "v");
      for (const level of probe.under.engine.capabilities.readLevels) {
        for (const [key, values] of [
          ["k", ["v", undefined]],
          ["absent", [undefined]],
        ] as const) {
          const operation = { ...probe.operation("get", { key }), level };
          const result = probe.under.engine.readNow(operation) as ReadResult | undefined;
          if (result === undefined) continue;
          const value = result.value && decodeValue(result.value);
          check(
            (values as readonly unknown[]).includes(value),
            `readNow at ${level} gave ${value}`,
          );
          checkEqual(result.found, value !== undefined, `found at ${level}`);
          checkEqual(result.receipt.asked, level, "receipt.asked");
        }
      }
    },
  },
];

const SCANS: readonly EngineCase[] = [
  {
    name: "a scan gives what was written, in the order of the key's bytes, and goes on by pages",
    run: async (probe) => {
      const keys = ["a", "B", "b/1", "b/2", "c", "é", "z", "\u{1f511}"];
      for (const key of keys) await probe.written(key, `value of ${key}`);
      await probe.written("b/0", "deleted");
      await probe.deleted("b/0");
      const whole = await probe.scan({}).result();
      checkEqual(keysOf(whole.entries), "B a b/1 b/2 c z é \u{1f511}", "keys");
      checkEqual(whole.continueAfter, undefined, "continueAfter of the whole range");
      checkReceipt(whole, probe.under.scanLevel);
      for (const { key, value } of whole.entries) {
        checkEqual(value, encodeValue(`value of ${new TextDecoder().decode(key)}`), "a value");
      }
      const pages: string[] = [];
      let from: Uint8Array | undefined;
      do {
        const page = await probe.scan({ range: { from, to: undefined }, limit: 3 }).result();
        check(page.entries.length <= 3, `${page.entries.length} entries with a limit of 3`);
        pages.push(keysOf(page.entries));
        from = page.continueAfter && Uint8Array.from([...page.continueAfter, 0]);
      } while (from !== undefined);
      checkEqual(pages.filter(Boolean).join(" "), keysOf(whole.entries), "keys over all pages");
    },
  },
  {
    name: "a scan's range is half-open, and may be empty",
    run: async (probe) => {
      for (const key of ["a", "b", "ba", "c"]) await probe.written(key, key);
      const scanned = async (from?: string, to?: string): Promise<string> => {
        const range = { from: from && utf8(from), to: to && utf8(to) } as Parameters<
          EngineProbe["scan"]
        >[0]["range"];
        const page = await probe.scan(range === undefined ? {} : { range }).result();
        return keysOf(page.entries);
      };
      checkEqual(await scanned("b", "c"), "b ba", "from b to c");
      checkEqual(await scanned("b"), "b ba c", "from b");
      checkEqual(await scanned(undefined, "b"), "a", "to b");
      checkEqual(await scanned("d"), "", "behind the last");
      checkEqual(await scanned("b", "b"), "", "from b to b");
    },
  },
];

const IDS: readonly EngineCase[] = [
  {
    name: "operation ids differ, and the same id makes the same write",
    run: async (probe) => {
      const { engine } = probe.under;
      if (!engine.capabilities.operationIds) return;
      const ids = Array.from({ length: 50 }, () => engine.mintOperationId());
      checkEqual(new Set(ids).size, ids.length, "different ids");
      const [id] = ids as [string];
      const first = await probe.written("k", "v", id);
      const again = await probe.written("k", "v", id);
      checkEqual(again.version, first.version, "the version of the retry");
      checkEqual(await probe.value("k"), "v", "the value");
    },
  },
  {
    name: "resolve answers once, and never says of a write that it was not applied",
    run: async (probe) => {
      const { engine } = probe.under;
      if (!engine.capabilities.operationIds) return;
      const [used, unused] = [engine.mintOperationId(), engine.mintOperationId()];
      await probe.written("k", "v", used);
      const outcomes: Record<string, string[]> = {};
      for (const [what, id] of Object.entries({ used, unused, garbage: "no-such-id" })) {
        const answers: string[] = [];
        outcomes[what] = answers;
        engine.resolve(id, (outcome) => answers.push(outcome));
      }
      const all = Object.values(outcomes);
      await until(probe.clock, () => all.every((each) => each.length > 0), "all outcomes");
      await probe.pause(probe.under.slackMs);
      checkEqual(
        all.map((each) => each.length),
        [1, 1, 1],
        "answers",
      );
      check(
        outcomes.used?.[0] !== "not-applied",
        "resolve says of a write that it was not applied",
      );
      check(outcomes.unused?.[0] !== "applied", "resolve says of no write that it was applied");
      checkEqual(outcomes.garbage?.[0], "unknown", "the outcome of an id that nobody made");
    },
  },
];

/** Answers of an engine whose network is well. */
export const ANSWER_CASES: readonly EngineCase[] = Object.freeze([...ANSWERS, ...SCANS, ...IDS]);

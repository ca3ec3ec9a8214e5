import type { EngineChange, ReadResult, WriteResult } from "../core/model/operations.ts";
import { NO_SESSION_MARK, type SessionMark } from "../core/model/session-token.ts";
import { decodeValue } from "../core/model/values.ts";
import type { EngineCase } from "./strategy-engine-answer-cases.ts";
import type { EngineProbe } from "./strategy-engine-probe.ts";
import { check, checkEqual, until } from "./suite.ts";

/** A watch of the engine, and all that it has given. */
function watch(probe: EngineProbe, cursor?: string, prefix?: string) {
  const changes: EngineChange[] = [];
  const ends: unknown[] = [];
  const bytes = prefix === undefined ? undefined : new TextEncoder().encode(prefix);
  const { cancel } = probe.under.engine.watch(
    { prefix: bytes, cursor },
    (change) => void changes.push(change),
    (fault) => void ends.push(fault),
  );
  const told = () =>
    changes
      .filter(({ key }) => key !== undefined)
      .map(({ type, key, value }) => {
        const text = new TextDecoder().decode(key);
        return value === undefined ? `${type} ${text}` : `${type} ${text} ${decodeValue(value)}`;
      });
  const isSynced = () => changes.some(({ type }) => type === "synced");
  return { changes, ends, told, isSynced, stop: () => cancel() };
}

async function syncedWatch(probe: EngineProbe, cursor?: string, prefix?: string) {
  const made = watch(probe, cursor, prefix);
  checkEqual(made.changes.length, 0, "events that came before `watch` returned");
  await until(probe.clock, made.isSynced, "the watch says synced");
  return made;
}

const WATCHES: readonly EngineCase[] = [
  {
    name: "a watch says synced over nothing, then gives each change of a key in its order",
    run: async (probe) => {
      if (!probe.under.engine.capabilities.watch) return;
      const { told, changes, stop } = await syncedWatch(probe, undefined, "k");
      await probe.written("k", "one");
      await probe.written("other", "unseen");
      await probe.written("k", "two");
      await probe.deleted("k");
      await until(probe.clock, () => told().length >= 3, "three changes come");
      stop();
      checkEqual(told(), ["put k one", "put k two", "delete k"], "what was told");
      check(!changes.some(({ type }) => type === "gap"), "there is a gap, and nothing was missing");
    },
  },
  {
    name: "a watch goes on behind the event whose cursor it is given",
    run: async (probe) => {
      if (!probe.under.engine.capabilities.watch) return;
      const first = await syncedWatch(probe);
      await probe.written("k", "one");
      await until(probe.clock, () => first.told().length > 0, "the change comes");
      first.stop();
      await probe.written("k", "two");
      const second = await syncedWatch(probe, first.changes.at(-1)?.cursor);
      second.stop();
      checkEqual(second.told(), ["put k two"], "what was told from the cursor on");
      checkEqual(first.told(), ["put k one"], "what was told before the watch was stopped");
    },
  },
  {
    name: "a cursor that no watch has given is refused",
    run: async (probe) => {
      if (!probe.under.engine.capabilities.watch) return;
      let code: unknown;
      try {
        watch(probe, "made up").stop();
      } catch (error) {
        code = (error as { readonly code?: unknown }).code;
      }
      checkEqual(code, "INVALID_CURSOR", "the fault's code");
    },
  },
  {
    name: "a watch ends with its engine, once",
    run: async (probe) => {
      const { engine } = probe.under;
      if (!engine.capabilities.watch) return;
      const open = await syncedWatch(probe);
      const stopped = await syncedWatch(probe);
      stopped.stop();
      await engine.close({ drain: false, timeoutMs: 0 });
      await until(probe.clock, () => open.ends.length > 0, "the watch ends");
      checkEqual([open.ends, stopped.ends], [[undefined], []], "what ended them");
    },
  },
];

const SESSIONS: readonly EngineCase[] = [
  {
    name: "an operation in a session says what it has seen, and one without says nothing",
    run: async (probe) => {
      if (!probe.under.engine.capabilities.sessions) return;
      const inSession = async (type: "put" | "get", session: SessionMark, value?: string) => {
        const parts = value === undefined ? { key: "k" } : { key: "k", value };
        const operation = { ...probe.operation(type, parts), options: { session } };
        return (await probe.execute(operation).result()) as WriteResult & ReadResult;
      };
      const { session: written } = await inSession("put", NO_SESSION_MARK, "v");
      check(written !== undefined, "the write in a session has no mark");
      const read = await inSession("get", written);
      check(read.session !== undefined, "the read in a session has no mark");
      checkEqual(read.found && decodeValue(read.value as Uint8Array), "v", "its own write");
      checkEqual(
        (await probe.read("k")).session,
        undefined,
        "the mark of a read without a session",
      );
    },
  },
];

export const WATCH_CASES: readonly EngineCase[] = Object.freeze([...WATCHES, ...SESSIONS]);

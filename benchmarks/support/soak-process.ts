/**
 * One node under a mixed load of its own: `soak-process.ts NODE CONFIG`. Counts what it did and
 * what failed, and says so when it is asked.
 */
import { isCapstanError, openStore } from "capstan";

const KEYS = 20_000;
const CLIENTS = 8;
/** Between two operations of a client: the load is steady, not the most that goes. */
const PAUSE_MS = 2;
const LEVELS = Object.freeze(["one", "quorum", "quorum", "quorum", "strong", "all"] as const);

const [node = "", text = "{}"] = process.argv.slice(2);
const store = await openStore(JSON.parse(text), { node });
await store.ready({ level: "all", timeoutMs: 60_000 });
const keyspace = store.keyspace("default");
const done = { operations: 0, faults: {} as Record<string, number> };

async function operate(random: number): Promise<void> {
  const key = `key-${Math.floor(random * 1e9) % KEYS}`;
  const consistency = LEVELS[Math.floor(random * 1e6) % LEVELS.length] ?? "quorum";
  if (random < 0.5)
    await keyspace.put(key, { random, filling: "f".repeat(random * 800) }, { consistency });
  else if (random < 0.9) await keyspace.get(key, { consistency });
  else if (random < 0.97) await keyspace.delete(key, { consistency });
  else {
    let seen = 0;
    for await (const _entry of keyspace.scan({ prefix: key.slice(0, 6), limit: 50 })) seen += 1;
    if (seen > 50) throw new Error(`a scan of at most 50 gave ${seen}`);
  }
}

async function client(): Promise<void> {
  for (;;) {
    try {
      await operate(Math.random());
      done.operations += 1;
    } catch (error) {
      const code = isCapstanError(error) ? error.code : String(error);
      done.faults[code] = (done.faults[code] ?? 0) + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

for (let at = 0; at < CLIENTS; at += 1) void client();
process.on("message", () => process.send?.({ ...done }));
process.on("disconnect", () => {
  void store.close({ drain: false }).then(() => process.exit(0));
});
process.send?.("ready");

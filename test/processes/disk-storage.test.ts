import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import {
  StateDamageError,
  type StateMutation,
  type Storage,
} from "../../src/core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { diskStorage } from "../../src/storage/disk/disk-storage.ts";
import { ensureBuilt, Running } from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const ENTRY = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
const STATE_FILE = new URL("../../dist/storage/disk/state/state-file.js", import.meta.url).href;
const environment = new SystemEnvironment();
let folder: string;
const running = new Set<Running>();

beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), "capstan-disk-"));
});
afterAll(() => {
  for (const { child } of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a module that has `openStore` in a process of its own. */
function run(script: string): Running {
  const module = `import { openStore } from ${ENTRY};\n${script}`;
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const args = ["--input-type=module", "-e", module];
  const started = new Running(process.execPath, args, { directory: root });
  running.add(started);
  return started;
}

/** Opens the store, says so, and goes on writing; or says why it could not open. */
function writer(path: string): Running {
  return run(`
    const storage = { type: "disk", path: ${JSON.stringify(path)} };
    try {
      const store = await openStore({ storage, keyspaces: { k: { strategy: "tunable" } } });
      console.log("open");
      await store.ready();
      const keyspace = store.keyspace("k");
      for (let at = 0; ; at += 1) {
        await keyspace.put("key-" + (at % 500), at, { timeoutMs: 20_000 });
        if (at % 100 === 0) console.log("wrote");
      }
    } catch (fault) {
      console.log(fault.code, fault.message);
    }
  `);
}

async function said(process: Running, text: string): Promise<void> {
  await expect.poll(() => process.stdout, { timeout: 110_000, interval: 10 }).toContain(text);
}

async function kill(process: Running): Promise<void> {
  process.child.kill("SIGKILL");
  await process.ended;
}

test("a node whose folder is removed under it stops itself soon, and names the folder", async () => {
  const path = join(folder, "removed");
  const process = writer(path);
  await said(process, "wrote");
  rmSync(path, { recursive: true, maxRetries: 5 });
  await said(process, "STORE_FAILED");
  expect(process.stdout).toContain(`the folder of the log, ${path}`);
  await kill(process);
}, 120_000);

test("LMDB is loaded when the first disk storage opens, and not before", async () => {
  const path = join(folder, "loading");
  const process = run(`
    const isLoaded = () => process.report.getReport().sharedObjects.some((each) => /lmdb/.test(each));
    const steps = [isLoaded()];
    await (await openStore({ storage: { type: "memory" } })).close();
    steps.push(isLoaded());
    await (await openStore({ storage: { type: "disk", path: ${JSON.stringify(path)} } })).close();
    steps.push(isLoaded());
    console.log(steps.join());
  `);
  expect((await process.ended).stdout).toBe("false,false,true\n");
});

test("a second process is refused with the first, and a killed one blocks nobody", async () => {
  const path = join(folder, "locked");
  const first = writer(path);
  await said(first, "open");
  const second = writer(path);
  const { stdout } = await second.ended;
  expect(stdout).toContain("DATA_DIRECTORY_LOCKED");
  expect(stdout).toContain(`is in use by process ${first.child.pid}\n`);
  await kill(first);
  const third = writer(path);
  await said(third, "open");
  await kill(third);
});

test("a process that is stopped still has its directory, and is named", async () => {
  const path = join(folder, "stopped");
  const first = writer(path);
  await said(first, "open");
  first.child.kill("SIGSTOP");
  const { stdout } = await writer(path).ended;
  expect(stdout).toContain(`is in use by process ${first.child.pid}\n`);
  await kill(first);
});

test("of processes that start at once over what a killed one left, one gets the directory", async () => {
  const path = join(folder, "raced");
  const first = writer(path);
  await said(first, "open");
  await kill(first);
  const racers = Array.from({ length: 4 }, () => writer(path));
  const isDecided = ({ stdout }: Running) => /open|LOCKED/.test(stdout);
  await expect.poll(() => racers.every(isDecided), { timeout: 60_000 }).toBe(true);
  expect(racers.filter(({ stdout }) => stdout.includes("open"))).toHaveLength(1);
  await Promise.all(racers.map(kill));
});

/** Files may not grow beyond 1 MiB: as on a full disk, writes fail. */
const FULL_DISK = ["-c", 'trap "" XFSZ; ulimit -f 1024; exec "$@"', "bash"];

// LMDB has several promises for one write, each of which rejects: one that nobody heard ended the
// process.
test.skipIf(process.platform === "win32").each([
  [50, 1000],
  [3_000, 100],
])(
  "a full disk fails the state once, with what the system says, and reads go on (%i entries of %i)",
  async (entries, bytes) => {
    const path = JSON.stringify(join(folder, `full-${entries}`));
    const module = `
      import { openLmdbFile } from ${JSON.stringify(STATE_FILE)};
      const file = await openLmdbFile(${path});
      const writeTo = async (at) => {
        const record = Buffer.alloc(${bytes}, at);
        await file.write(Array.from({ length: ${entries} }, (_, each) => ({
          key: Buffer.from(at + "-" + each), record,
        })));
      };
      let written = 0;
      try {
        for (; written < 100; written += 1) await writeTo(written);
      } catch (fault) {
        console.log(fault.code, fault.message);
      }
      console.log("before", written > 0 && file.get(Buffer.from("0-0")).length);
      await file.close();
      // What nobody hears of ends a process a moment later.
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log("closed");
    `;
    const args = [...FULL_DISK, process.execPath, "--input-type=module", "-e", module];
    const full = new Running("bash", args, { directory: folder });
    running.add(full);
    const { stdout, exitCode } = await full.ended;
    expect(stdout).toMatch(/^STORE_FAILED the state in .* cannot be written: \w/);
    expect(stdout).toContain(`before ${bytes}\nclosed\n`);
    expect(exitCode).toBe(0);
  },
);

/** As the stores in the other processes do, whose cluster and node have no other name. */
function open(path: string, options: object = {}): Promise<Storage> {
  const context = { node: "local", cluster: "capstan", environment, observer: SILENT_OBSERVER };
  return diskStorage({ path, ...options }, context);
}

test("a process that is killed at any moment leaves nothing to set aside", async () => {
  const path = join(folder, "killed");
  const random = new SeededRandom(1);
  for (let round = 1; round <= 6; round += 1) {
    const process = writer(path);
    await said(process, round % 3 === 0 ? "open" : "wrote");
    await new Promise((resolve) => setTimeout(resolve, random.uint32() % 60));
    await kill(process);
    const storage = await open(path);
    expect(storage.problems).toEqual([]);
    expect(storage.identity).toMatchObject({ fresh: false, kept: "os", incarnation: 2 * round });
    await storage.close();
  }
});

/** There are many openings to come. */
const SMALL = { segmentBytes: "64KiB", maxBatchBytes: "8KiB", commitInterval: "5ms" };
const ENTRIES = 2_000;
const SHARDS = 8;
const shardOf = (at: number) => (1 + (at % SHARDS)) as ShardId;
const keyAt = (at: number) => Buffer.from(`key-${at}`);
const textAt = (at: number) => Buffer.from(`value-${at}`.repeat(at % 37 === 0 ? 700 : 2));

async function commit(storage: Storage, mutations: readonly StateMutation[]): Promise<void> {
  const { state } = storage;
  const position = (state.committedPosition + 1) as LogPosition;
  state.commit({ mutations, position });
  await expect.poll(() => state.durablePosition, { interval: 5, timeout: 30_000 }).toBe(position);
}

function putAt(at: number, value = textAt(at)): StateMutation {
  return { type: "put", shard: shardOf(at), space: "data", key: keyAt(at), value };
}

/** What is done to the state file. */
const DAMAGES: Readonly<Record<string, (file: string, random: SeededRandom) => void>> = {
  "a flipped bit": (file, random) => change(file, (bytes) => flip(bytes, random)),
  "twenty flipped bits": (file, random) =>
    change(file, (bytes) => {
      for (let bit = 0; bit < 20; bit += 1) flip(bytes, random);
    }),
  "a page of zeros": (file, random) => change(file, (bytes) => pageOf(bytes, random).fill(0)),
  "a page header of chance": (file, random) =>
    change(file, (bytes) => pageOf(bytes, random).set(random.bytes(24))),
  "a file that was cut": (file, random) => truncateSync(file, random.uint32() % 200_000),
  "a file of chance": (file, random) => writeFileSync(file, random.bytes(200_000)),
};

function change(file: string, edit: (bytes: Uint8Array) => void): void {
  const bytes = readFileSync(file);
  edit(bytes);
  writeFileSync(file, bytes);
}

function flip(bytes: Uint8Array, random: SeededRandom): void {
  const at = random.uint32() % bytes.length;
  bytes[at] = (bytes[at] as number) ^ (1 << (random.uint32() & 7));
}

function pageOf(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const page = random.uint32() % Math.floor(bytes.length / 4_096);
  return bytes.subarray(page * 4_096, (page + 1) * 4_096);
}

/** Every entry is as it was, or known to be damaged; or everything was set aside. */
function checkEntries(storage: Storage): void {
  for (let at = 0; at < ENTRIES; at += 1) {
    try {
      const value = storage.state.get(shardOf(at), "data", keyAt(at));
      expect(value && Buffer.from(value)).toEqual(textAt(at));
    } catch (error) {
      if (!(error instanceof StateDamageError)) throw error;
    }
  }
}

test("whatever is done to the state file, the storage opens, tells it, and goes on", async () => {
  const good = join(folder, "good");
  const storage = await open(good, SMALL);
  storage.state.start({ onFailed: () => undefined });
  for (let at = 0; at < ENTRIES; at += 400) {
    await commit(
      storage,
      Array.from({ length: 400 }, (_, more) => putAt(at + more)),
    );
  }
  await storage.close();

  for (const [what, damage] of Object.entries(DAMAGES)) {
    for (let seed = 1; seed <= 2; seed += 1) {
      const path = join(folder, "damaged");
      cpSync(good, path, { recursive: true });
      damage(join(path, "local", "state", "data.mdb"), new SeededRandom(seed, what));
      const hint = `${what}, seed ${seed}`;
      const damaged = await open(path, SMALL);
      const failures: Error[] = [];
      damaged.state.start({ onFailed: (error) => failures.push(error) });
      if (damaged.identity.fresh) expect(damaged.problems, hint).toHaveLength(1);
      else checkEntries(damaged);
      const more = Array.from({ length: 300 }, (_, at) => putAt(at * 7, Buffer.from("new")));
      await commit(damaged, more);
      expect(failures, hint).toEqual([]);
      await damaged.close();
      const again = await open(path, SMALL);
      expect(again.problems, hint).toEqual([]);
      expect(again.identity.kept, hint).toBe("memory");
      await again.close();
      rmSync(path, { recursive: true });
    }
  }
});

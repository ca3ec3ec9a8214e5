import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StorageFactory } from "../../src/core/contracts/storage.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { openStore } from "../../src/open-store.ts";
import { readBootId } from "../../src/storage/disk/directory/boot-id.ts";
import { lockDirectory } from "../../src/storage/disk/directory/directory-lock.ts";
import type { Disk, DiskCallback, DiskDone, DiskFile } from "../../src/storage/disk/disk.ts";
import { openDiskStorage } from "../../src/storage/disk/disk-storage.ts";
import { openSegmentedLog } from "../../src/storage/disk/log/open-segmented-log.ts";
import { NodeDisk } from "../../src/storage/disk/node-disk.ts";
import { openLmdbFile } from "../../src/storage/disk/state/state-file.ts";
import { ensureBuilt, Running } from "../support/processes.ts";

// Whole stores over the real log and LMDB, whose disk stops taking anything in the middle of writing.

const ENTRY = JSON.stringify(new URL("../../dist/index.js", import.meta.url).href);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
let folder: string;

beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), "capstan-failing-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Fault = { readonly operation: "write" | "sync"; readonly code: "EIO" | "ENOSPC" };

/** The real disk, until it fails for good. */
class FailingDisk extends NodeDisk {
  fault: Fault | undefined;

  override open(path: string, done: DiskCallback<DiskFile>): void {
    super.open(path, this.#wrapped(done));
  }

  override create(path: string, done: DiskCallback<DiskFile>): void {
    super.create(path, this.#wrapped(done));
  }

  errorOf(operation: Fault["operation"]): Error | undefined {
    if (this.fault?.operation !== operation) return undefined;
    const { code } = this.fault;
    return Object.assign(new Error(`${code}: ${operation}`), { code });
  }

  #wrapped(done: DiskCallback<DiskFile>): DiskCallback<DiskFile> {
    return (error, file) => {
      if (error !== undefined) done(error, undefined);
      else done(undefined, this.#failing(file));
    };
  }

  #failing(file: DiskFile): DiskFile {
    const unless = (operation: Fault["operation"], done: DiskDone, work: () => void): void => {
      const error = this.errorOf(operation);
      if (error === undefined) work();
      else setImmediate(done, error);
    };
    return {
      path: file.path,
      size: (done) => file.size(done),
      read: (into, position, done) => file.read(into, position, done),
      write: (bytes, position, done) =>
        unless("write", done, () => file.write(bytes, position, done)),
      writeNow: (bytes, position) => {
        const error = this.errorOf("write");
        if (error !== undefined) throw error;
        file.writeNow(bytes, position);
      },
      sync: (done) => unless("sync", done, () => file.sync(done)),
      close: (done) => file.close(done),
    };
  }
}

function openOver(path: string, disk: Disk) {
  const storage: StorageFactory = (_options, context) =>
    openDiskStorage({ path }, context, {
      ...{ disk, readBootId, lock: lockDirectory },
      ...{ openStateFile: openLmdbFile, openLog: openSegmentedLog },
    });
  return openStore({ storage, keyspaces: { k: { strategy: "tunable" } } });
}

test.each<Fault>([
  { operation: "sync", code: "EIO" },
  { operation: "write", code: "EIO" },
  { operation: "write", code: "ENOSPC" },
])(
  "a log that fails ($code at a $operation) stops the writes, and loses none that was acknowledged",
  async (fault) => {
    const path = join(folder, `${fault.operation}-${fault.code}`);
    const disk = new FailingDisk();
    const store = await openOver(path, disk);
    await store.ready();
    const keyspace = store.keyspace("k");
    const outcomes = new Map<string, string>();
    const put = async (key: string): Promise<void> => {
      const outcome = await keyspace.put(key, key).then(
        () => "applied",
        (error: unknown) => (isCapstanError(error) ? error.outcome : "no fault of ours"),
      );
      outcomes.set(key, outcome);
    };
    for (let at = 0; at < 50; at += 1) await put(`before-${at}`);
    disk.fault = fault;
    await Promise.all(Array.from({ length: 50 }, (_, at) => put(`while-${at}`)));
    await expect.poll(() => store.describe().state, { timeout: 30_000 }).toBe("failed");
    await put("after");
    await store.close();

    const count = (outcome: string) =>
      [...outcomes.values()].filter((each) => each === outcome).length;
    expect(count("applied")).toBe(50);
    expect(outcomes.get("after")).toBe("not-applied");
    expect(count("applied") + count("not-applied") + count("unknown")).toBe(101);

    const again = await openOver(path, new NodeDisk());
    await again.ready();
    for (const [key, outcome] of outcomes) {
      const read = await again.keyspace("k").get(key);
      if (outcome === "applied") expect(read, key).toMatchObject({ found: true, value: key });
      if (outcome === "not-applied") expect(read.found, key).toBe(false);
    }
    await again.close();
  },
);

/** Files may not grow beyond 1 MiB: as on a full disk, the system refuses to write. */
const FULL_DISK = ["-c", 'trap "" XFSZ; ulimit -f 1024; exec "$@"', "bash"];

/** Opens the store over small segments, prints what became of its puts, or what it holds. */
function script(path: string, work: string): string {
  return `
    import { openStore } from ${ENTRY};
    const storage = { type: "disk", path: ${JSON.stringify(path)}, segmentBytes: 262144, commitInterval: 20 };
    const store = await openStore({ storage, keyspaces: { k: { strategy: "tunable" } } });
    await store.ready();
    const keyspace = store.keyspace("k");
    ${work}
    await store.close();
    console.log("closed");
  `;
}

async function run(file: string, args: readonly string[], module: string): Promise<string> {
  const process = new Running(file, [...args, "--input-type=module", "-e", module], {
    directory: ROOT,
  });
  const { stdout, stderr, exitCode } = await process.ended;
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

test.skipIf(process.platform === "win32")(
  "a state file that finds the disk full stops the writes, and loses none that was acknowledged",
  { timeout: 120_000 },
  async () => {
    const path = join(folder, "full");
    const writing = script(
      path,
      `
      const filling = "f".repeat(900);
      for (let at = 0; at < 5000 && store.describe().state !== "failed"; at += 1) {
        const outcome = await keyspace.put("key-" + at, at + filling).then(() => "applied", (error) => error.outcome);
        console.log("key-" + at, outcome);
      }
      console.log("state", store.describe().state);
      console.log("late", await keyspace.put("late", 1).then(() => "applied", (error) => error.outcome));
      `,
    );
    const wrote = await run("bash", [...FULL_DISK, process.execPath], writing);
    expect(wrote).toContain("state failed\nlate not-applied\nclosed\n");
    const outcomes = [...wrote.matchAll(/^(key-\d+|late) (\S+)$/gm)];
    const applied = outcomes.filter(([, , outcome]) => outcome === "applied");
    expect(applied.length).toBeGreaterThan(100);
    expect(applied.length).toBeLessThan(5_000);

    const reading = script(
      path,
      "for await (const { key } of keyspace.scan()) console.log('held', key);",
    );
    const read = await run(process.execPath, [], reading);
    const held = new Set([...read.matchAll(/^held (\S+)$/gm)].map(([, key]) => key));
    for (const [, key, outcome] of outcomes) {
      if (outcome === "applied") expect(held.has(key), key).toBe(true);
      if (outcome === "not-applied") expect(held.has(key), key).toBe(false);
    }
  },
);

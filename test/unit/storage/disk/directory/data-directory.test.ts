import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import { DataDirectory } from "../../../../../src/storage/disk/directory/data-directory.ts";
import { lockDirectory } from "../../../../../src/storage/disk/directory/directory-lock.ts";
import { IDENTITY_FILES } from "../../../../../src/storage/disk/directory/identity-file.ts";
import { NodeDisk } from "../../../../../src/storage/disk/node-disk.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";

const CLOSED = { stateBytes: 1, stateChecksum: 2 };
let path: string;
let seed = 0;
const opened = new Set<DataDirectory>();

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "capstan-directory-"));
});
afterEach(async () => {
  for (const directory of opened) await close(directory);
  await rm(path, { recursive: true, force: true });
});

interface Surroundings {
  readonly cluster?: string;
  readonly node?: string;
  readonly bootId?: string | undefined;
  readonly at?: string;
  readonly disk?: NodeDisk;
}

async function open(given: Surroundings = {}): Promise<DataDirectory> {
  seed += 1;
  const { cluster = "shop", node = "n1", at = path, disk = new NodeDisk() } = given;
  const bootId = "bootId" in given ? given.bootId : "first boot";
  const environment = new VirtualEnvironment({ seed });
  const context = { cluster, node, environment, observer: SILENT_OBSERVER };
  const surroundings = { disk, bootId, lock: lockDirectory };
  const directory = await DataDirectory.open(at, context, surroundings);
  opened.add(directory);
  return directory;
}

async function close(directory: DataDirectory, how?: typeof CLOSED): Promise<void> {
  opened.delete(directory);
  await directory.close(how);
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] as number) ^ 1;
  await writeFile(file, bytes);
}

test("a new directory is fresh, and has made the folders that lead to it", async () => {
  const directory = await open({ at: join(path, "not", "there") });
  expect(directory.identity).toMatchObject({ incarnation: 1, fresh: true, kept: "memory" });
  expect(directory.identity.storeId).toMatch(/^[0-9a-f]{32}$/);
  expect(directory.path).toBe(join(path, "not", "there", "n1"));
  expect(directory.problems).toEqual([]);
});

test("two nodes have two directories below one path", async () => {
  const [first, second] = [await open({ node: "n1" }), await open({ node: "n2" })];
  expect(first.identity.storeId).not.toBe(second.identity.storeId);
});

test("the incarnation is counted up before anything else, also by starts that are not closed", async () => {
  const first = await open();
  const { storeId } = first.identity;
  for (const incarnation of [2, 3]) {
    await close([...opened][0] as DataDirectory);
    expect((await open()).identity).toMatchObject({ storeId, incarnation, fresh: false });
  }
});

test.each([
  ["a clean close", CLOSED, "first boot", "memory"],
  ["a clean close and a new boot", CLOSED, "second boot", "memory"],
  ["a killed process", undefined, "first boot", "os"],
  ["a new boot", undefined, "second boot", "fsync"],
  ["a boot that is not known", undefined, undefined, "fsync"],
])("%s has kept what it has", async (_what, closed, bootId, kept) => {
  await close(await open(), closed);
  const directory = await open({ bootId });
  expect(directory.identity.kept).toBe(kept);
  expect(directory.lastClose).toEqual(closed);
});

test("two starts on machines that say no boot id are never of one boot", async () => {
  await close(await open({ bootId: undefined }));
  expect((await open({ bootId: undefined })).identity.kept).toBe("fsync");
});

test("a clean close counts for one start", async () => {
  await close(await open(), CLOSED);
  await close(await open());
  expect((await open()).identity.kept).toBe("os");
});

test("the data of another cluster is refused by name, and the directory is free again", async () => {
  await close(await open());
  await expect(open({ cluster: "bank" })).rejects.toMatchObject({
    code: "IDENTITY_CONFLICT",
    message: `the data in ${join(path, "n1")} belongs to the cluster "shop", and this cluster is "bank"`,
  });
  await open();
});

test("the data of another node is refused by name", async () => {
  const { path: folder } = await open();
  await close([...opened][0] as DataDirectory);
  const copy = join(path, "n2");
  await mkdir(copy);
  for (const name of IDENTITY_FILES)
    await writeFile(join(copy, name), await readFile(join(folder, name)));
  await expect(open({ node: "n2" })).rejects.toMatchObject({
    code: "IDENTITY_CONFLICT",
    message: `the data in ${copy} belongs to the node "n1", and this node is "n2"`,
  });
});

test("what was disowned is set aside whole at the next opening, which is fresh", async () => {
  const first = await open();
  await mkdir(join(first.path, "log"));
  await writeFile(join(first.path, "log", "1"), "records");
  await first.disown("it is a copy");
  await close(first, CLOSED);
  const second = await open();
  expect(second.identity).toMatchObject({ incarnation: 1, fresh: true, kept: "memory" });
  expect(second.identity.storeId).not.toBe(first.identity.storeId);
  expect(second.lastClose).toBeUndefined();
  const [problem] = second.problems;
  expect(problem).toMatchObject({ what: first.path, reason: "it is a copy" });
  expect(await readdir(problem?.setAside as string)).toEqual([...IDENTITY_FILES, "log"]);
  expect(await readFile(join(problem?.setAside as string, "log", "1"), "utf8")).toBe("records");
});

test("what is set aside twice at one time is in two folders", async () => {
  for (let round = 0; round < 2; round += 1) {
    const directory = await open();
    await directory.disown("again");
    await close(directory);
  }
  const names = await readdir((await open()).path);
  const folders = names.filter((name) => name.startsWith("set-aside-"));
  expect(folders).toEqual([
    "set-aside-2026-01-01T00-00-00-000Z",
    "set-aside-2026-01-01T00-00-00-000Z-2",
  ]);
});

test("a copy of the identity that is damaged is told, and survived", async () => {
  const { identity, path: folder } = await open();
  await close([...opened][0] as DataDirectory);
  const file = join(folder, IDENTITY_FILES[0] as string);
  await flip(file, 70);
  const again = await open();
  expect(again.identity).toMatchObject({ storeId: identity.storeId, incarnation: 2, fresh: false });
  expect(again.problems).toEqual([
    { what: file, reason: "it fails its check", setAside: undefined },
  ]);
  await close(again);
  expect((await open()).problems).toEqual([]);
});

test("without an identity that is whole everything is set aside", async () => {
  const { identity, path: folder } = await open();
  await mkdir(join(folder, "state"));
  await close([...opened][0] as DataDirectory);
  for (const name of IDENTITY_FILES) await flip(join(folder, name), 70);
  const again = await open();
  expect(again.identity.fresh).toBe(true);
  expect(again.identity.storeId).not.toBe(identity.storeId);
  const { reason, setAside } = again.problems.at(-1) as (typeof again.problems)[number];
  expect(reason).toBe("no copy of its identity is whole");
  expect(basename(setAside as string)).toMatch(/^set-aside-/);
  expect(again.problems).toHaveLength(3);
});

test("data without any identity is set aside", async () => {
  await mkdir(join(path, "n1", "log"), { recursive: true });
  const directory = await open();
  expect(directory.problems).toMatchObject([{ reason: "its identity is missing" }]);
});

test("an interrupted setting aside goes on at the next opening", async () => {
  const directory = await open();
  await mkdir(join(directory.path, "log"));
  await directory.disown("it is a copy");
  await close(directory);
  // As after a crash in the middle: the log is moved, the identity is not.
  await mkdir(join(directory.path, "set-aside-before"));
  await rm(join(directory.path, "log"), { recursive: true });
  expect((await open()).identity.fresh).toBe(true);
});

test.each(["ENOSPC", "EIO", "EMFILE"])(
  "a disk in trouble (%s) is no fault of the configuration",
  async (code) => {
    const disk = new NodeDisk();
    disk.create = (_file, done) => {
      setImmediate(() => done(Object.assign(new Error(`${code}: no luck`), { code }), undefined));
    };
    await expect(open({ disk })).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: `storage.path is "${path}", where no data can be kept now (${code}: no luck)`,
    });
  },
);

test("a path that is a file is refused, and named", async () => {
  const at = join(path, "file");
  await writeFile(at, "");
  await expect(open({ at })).rejects.toMatchObject({
    code: "INVALID_CONFIGURATION",
    message: expect.stringContaining(`storage.path is "${at}", where no data can be kept`),
  });
});

test.skipIf(process.getuid?.() === 0)("a path that cannot be written is refused", async () => {
  await chmod(path, 0o500);
  await expect(open()).rejects.toMatchObject({
    code: "INVALID_CONFIGURATION",
    message: expect.stringContaining("EACCES"),
  });
});

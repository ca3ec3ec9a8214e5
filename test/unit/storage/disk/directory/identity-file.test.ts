import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type DirectoryIdentity,
  IDENTITY_FILES,
  IdentityFile,
} from "../../../../../src/storage/disk/directory/identity-file.ts";
import { NodeDisk } from "../../../../../src/storage/disk/node-disk.ts";

const IDENTITY: DirectoryIdentity = Object.freeze({
  cluster: "shop",
  node: "n1",
  storeId: "0123456789abcdef0123456789abcdef",
  incarnation: 7,
  bootId: null,
  processId: 123,
  closed: null,
  disowned: null,
});
const [FIRST, SECOND] = IDENTITY_FILES as [string, string];
const disk = new NodeDisk();
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "capstan-identity-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(...incarnations: number[]): Promise<void> {
  const { file } = await IdentityFile.read(disk, folder);
  for (const incarnation of incarnations) {
    await file.change(() => ({ ...IDENTITY, incarnation }));
  }
}

async function read(): Promise<{ incarnation: number | undefined; damaged: string[] }> {
  const { file, damaged } = await IdentityFile.read(disk, folder);
  return { incarnation: file.identity?.incarnation, damaged: damaged.map(({ what }) => what) };
}

test("an empty folder has no identity, and nothing that is damaged", async () => {
  expect(await read()).toEqual({ incarnation: undefined, damaged: [] });
});

test("what was written is read again", async () => {
  await write(7);
  const { file, damaged } = await IdentityFile.read(disk, folder);
  expect(file.identity).toEqual(IDENTITY);
  expect(damaged).toEqual([]);
});

test("changes that are asked for together take effect one after the other", async () => {
  const { file } = await IdentityFile.read(disk, folder);
  await Promise.all([
    file.change(() => IDENTITY),
    file.change((identity) => ({ ...(identity as DirectoryIdentity), disowned: "old" })),
    file.change((identity) => ({ ...(identity as DirectoryIdentity), incarnation: 8 })),
  ]);
  const { file: again } = await IdentityFile.read(disk, folder);
  expect(again.identity).toEqual({ ...IDENTITY, disowned: "old", incarnation: 8 });
});

test("of two copies the newer one counts, as after a crash between the two", async () => {
  await write(1);
  const older = await readFile(join(folder, SECOND));
  await write(2);
  await writeFile(join(folder, SECOND), older);
  expect(await read()).toEqual({ incarnation: 2, damaged: [] });
  await writeFile(join(folder, SECOND), await readFile(join(folder, FIRST)));
  await writeFile(join(folder, FIRST), older);
  expect(await read()).toEqual({ incarnation: 2, damaged: [] });
});

test.each([FIRST, SECOND])("any flipped bit of %s is found, and survived", async (name) => {
  await write(7);
  const path = join(folder, name);
  const whole = await readFile(path);
  for (let bit = 0; bit < whole.length * 8; bit += 7) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    await writeFile(path, flipped);
    expect(await read(), `with bit ${bit} flipped`).toEqual({ incarnation: 7, damaged: [path] });
  }
});

test("a copy that is missing, cut short or far too long is survived", async () => {
  await write(7);
  const path = join(folder, FIRST);
  await rm(path);
  expect(await read()).toEqual({ incarnation: 7, damaged: [] });
  await writeFile(path, "capstan data");
  expect(await read()).toEqual({ incarnation: 7, damaged: [path] });
  await writeFile(path, Buffer.alloc(1 << 20));
  expect(await read()).toEqual({ incarnation: 7, damaged: [path] });
});

test("with both copies damaged there is no identity", async () => {
  await write(7);
  for (const name of IDENTITY_FILES) await writeFile(join(folder, name), "?");
  const paths = IDENTITY_FILES.map((name) => join(folder, name));
  expect(await read()).toEqual({ incarnation: undefined, damaged: paths });
});

test("a format that is not known is refused, with what was found and what is known", async () => {
  const body = "of the future\n";
  const checksum = crc32(body, crc32("2")).toString(16).padStart(8, "0");
  await writeFile(join(folder, SECOND), `capstan data, format 2, checksum ${checksum}\n${body}`);
  await expect(read()).rejects.toMatchObject({
    code: "UNSUPPORTED_FORMAT",
    message: expect.stringContaining(
      "is of data format 2, and this version of Capstan knows format 1",
    ),
    allowed: [1],
  });
});

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { programCacheFolder } from "../../../../src/cli/nats-server/cache-folder.ts";
import { dockerAnswers, fileInTar } from "../../../../src/cli/nats-server/container-nats-server.ts";
import { findNatsServer } from "../../../../src/cli/nats-server/find-nats-server.ts";
import { SystemEnvironment } from "../../../../src/core/store/system-environment.ts";

const environment = new SystemEnvironment();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-find-"));
  for (const name of ["bin", "path", "cache"]) mkdirSync(join(folder, name));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that is a shell script. */
function script(name: string, body: string, where = "path"): string {
  const file = join(folder, where, name);
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function find(env: Record<string, string> = {}, notices: string[] = []) {
  return findNatsServer({
    // No Docker anywhere, and of the system's programs only those that scripts need.
    env: { PATH: `${join(folder, "path")}:/bin`, DOCKER_HOST: "unix:///nowhere.sock", ...env },
    environment,
    cacheFolder: join(folder, "cache"),
    onNotice: (line) => notices.push(line),
  });
}

/** An apt and a dpkg that unpack a server, and note that they were called. */
function fakeApt(update = "exit 0"): void {
  const calls = join(folder, "calls");
  script(
    "apt-get",
    `echo "$@" >> ${calls}
case "$*" in
  *--version) exit 0;;
  *update) ${update};;
  *download*) : > nats-server_1_amd64.deb;;
esac`,
  );
  script(
    "dpkg",
    'mkdir -p "$3/usr/sbin" && printf "#!/bin/sh\\necho nats-server: v1.2.3\\n" > "$3/usr/sbin/nats-server"',
  );
}

describe("a NATS server is found", () => {
  test("by NATS_SERVER_BIN before all", async () => {
    script("nats-server", "echo nats-server: v2.0.0");
    const named = script("other", "echo nats-server: v3.0.0", "bin");
    expect(await find({ NATS_SERVER_BIN: named })).toEqual({
      path: named,
      version: "nats-server: v3.0.0",
      origin: "NATS_SERVER_BIN",
    });
  });

  test("nowhere else when NATS_SERVER_BIN names something else", async () => {
    script("nats-server", "echo nats-server: v2.0.0");
    for (const named of [script("other", "echo hello", "bin"), "/nowhere/nats-server"]) {
      await expect(find({ NATS_SERVER_BIN: named })).rejects.toThrow(
        `NATS_SERVER_BIN is ${named}, which does not run as a NATS server`,
      );
    }
  });

  test("on the PATH", async () => {
    const path = script("nats-server", "echo nats-server: v2.0.0");
    expect(await find()).toMatchObject({ path, origin: "PATH" });
  });

  test("in the distribution's package, fetched once for all who look", async () => {
    fakeApt();
    const found = await Promise.all([find(), find(), find()]);
    const expected = {
      path: join(folder, "cache", "nats-server-debian"),
      version: "nats-server: v1.2.3",
      origin: "the distribution's package",
    };
    expect(found).toEqual([expected, expected, expected]);
    expect(await find()).toEqual(expected);
    const calls = readFileSync(join(folder, "calls"), "utf8").split("\n");
    expect(calls.filter((line) => line.endsWith("update"))).toHaveLength(1);
    expect(
      calls.filter((line) => /Dir::State::lists=.*Dir::Cache=.* download nats-server$/.test(line)),
    ).toHaveLength(1);
    expect(readdirSync(join(folder, "cache"))).toEqual(["nats-server-debian"]);
  });

  test("not where the package cannot be fetched, and the reason is said", async () => {
    fakeApt('echo "E: no network" >&2; exit 100');
    const notices: string[] = [];
    expect(await find({}, notices)).toBeUndefined();
    expect(notices.at(-1)).toMatch(/apt-get .*update failed: E: no network/);
    expect(readdirSync(join(folder, "cache"))).toEqual([]);
  });

  test("not where there is nothing of all this", async () => {
    expect(await find({ PATH: join(folder, "path") })).toBeUndefined();
  });
});

describe("Docker", () => {
  test("is asked for its answer over its socket or address", async () => {
    const engine = createServer((request, response) => {
      response.statusCode = request.url === "/_ping" ? 200 : 404;
      response.end();
    });
    const socket = join(folder, "docker.sock");
    await new Promise<void>((resolve) => engine.listen(socket, resolve));
    expect(await dockerAnswers(`unix://${socket}`, environment)).toBe(true);
    await new Promise((resolve) => engine.close(resolve));
    expect(await dockerAnswers(`unix://${socket}`, environment)).toBe(false);
    expect(await dockerAnswers("tcp://127.0.0.1:1", environment)).toBe(false);
    expect(await dockerAnswers("ssh://somewhere", environment)).toBe(false);
  });

  test("gives a file in an archive, which is taken out whole or not at all", () => {
    const archive = new Uint8Array(2_048);
    archive.set(Buffer.from("00000001000\0"), 124);
    archive.fill(7, 512, 1_024);
    expect(fileInTar(archive)).toEqual(new Uint8Array(512).fill(7));
    expect(() => fileInTar(archive.subarray(0, 1_000))).toThrow("holds no whole file");
    expect(() => fileInTar(new Uint8Array(2_048))).toThrow("holds no whole file");
  });
});

describe("the cache of programs", () => {
  test("is where XDG_CACHE_HOME says", async () => {
    expect(await programCacheFolder({ XDG_CACHE_HOME: folder })).toBe(join(folder, "capstan"));
  });

  test("is a temporary folder of one's own where that cannot be written", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const found = await programCacheFolder({ XDG_CACHE_HOME: file });
    expect(found).toBe(join(tmpdir(), `capstan-cache-${process.getuid?.() ?? 0}`));
    rmSync(found, { recursive: true, force: true });
  });
});

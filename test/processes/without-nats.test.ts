import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, type Ran, Running, temporaryFolder } from "../support/processes.ts";

// What `npm test` says about the tests that need a NATS server, where there is none to be had.

beforeAll(() => ensureBuilt());

async function prepare(env: Record<string, string>): Promise<Ran> {
  const folder = temporaryFolder();
  const script = new URL("../../scripts/nats-server.mjs", import.meta.url).href;
  const source = `
    const { prepareNats } = await import(${JSON.stringify(script)});
    const prepared = await prepareNats(process.env);
    if (prepared === undefined) process.exit(1);
    for (const line of prepared.lastLines) console.log(line);
    console.log("CAPSTAN_NATS_SERVER", prepared.env.CAPSTAN_NATS_SERVER);`;
  mkdirSync(join(folder.path, "bin"));
  const barren = {
    NATS_SERVER_BIN: "",
    PATH: join(folder.path, "bin"),
    XDG_CACHE_HOME: folder.path,
  };
  try {
    return await new Running(process.execPath, ["--input-type=module", "-e", source], {
      directory: folder.path,
      env: { ...barren, DOCKER_HOST: "unix:///nowhere.sock", CAPSTAN_REQUIRE_NATS: "", ...env },
    }).ended;
  } finally {
    folder.remove();
  }
}

describe("without a NATS server", () => {
  test("the last lines name every file of tests that were not run, and how to get one", async () => {
    const { exitCode, stdout, stderr } = await prepare({});
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const files = readdirSync(new URL(".", import.meta.url)).filter((name) =>
      name.startsWith("nats-"),
    );
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) expect(stdout).toContain(`  test/processes/${file}\n`);
    expect(stdout).toContain("NOT RUN, for want of a NATS server:");
    expect(stdout).toContain("To run them, set NATS_SERVER_BIN to a nats-server program");
    expect(stdout).toContain("CAPSTAN_NATS_SERVER none");
  });

  test("they fail where CAPSTAN_REQUIRE_NATS is 1", async () => {
    const { exitCode, stderr } = await prepare({ CAPSTAN_REQUIRE_NATS: "1" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "CAPSTAN_REQUIRE_NATS is 1, and no NATS server was found. To run them",
    );
  });
});

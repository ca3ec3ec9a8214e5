import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  capstan,
  eventually,
  freePorts,
  isAlive,
  Running,
  temporaryFolder,
} from "../support/processes.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("npm start builds, runs a cluster, and takes it along when it is ended", async () => {
  const folder = temporaryFolder();
  const port = await freePorts(10);
  const ports = ["--http-port", `${port}`, "--peer-port", `${port + 5}`];
  const words = ["start", "--", ...ports, "--nodes", "2", "--dir", folder.path];
  const npm = new Running("npm", words, { directory: root });
  let pids: number[] = [];
  try {
    await npm.says(/^Ctrl-C ends all nodes/m);
    pids = [...npm.stdout.matchAll(/^ {2}n\d .*pid (\d+)$/gm)].map(([, pid]) => Number(pid));
    expect(pids).toHaveLength(2);
    expect(npm.stdout).toContain("node dist/cli/main.js status");
    const env = { CAPSTAN_URL: `http://127.0.0.1:${port + 1}` };
    const put = await capstan(["put", "k", "1"], { directory: folder.path, env });
    expect(put).toMatchObject({ exitCode: 0 });
  } finally {
    // What a supervisor does. npm ends its shell, which passes nothing on.
    npm.signal("SIGTERM");
    await eventually("no node is left", () => !pids.some(isAlive));
    await npm.ended;
    folder.remove();
  }
});

import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openStore } from "../../dist/index.js";

/** Longer than the interval of commits: what was written is in the state file, then. */
const COMMITTED_MS = 2_500;

/**
 * Makes what a killed node leaves, in a folder beside this file: what `writeFirst` writes is in the
 * state file, what `writeLast` writes in the log alone. It is checked in, and made once for each
 * format version: a later build has to open it as it is.
 *
 * @param script the url of the caller: it runs once more, in the process that is killed.
 */
export async function leaveKilled({ script, folder, keyspaces, writeFirst, writeLast }) {
  const path = fileURLToPath(new URL(folder, import.meta.url));
  if (process.send === undefined) return make(path, script);
  const store = await openStore(configurationOf(path, keyspaces), { node: "n1" });
  await store.ready();
  await writeFirst(store);
  await new Promise((resolve) => setTimeout(resolve, COMMITTED_MS));
  await writeLast(store);
  process.kill(process.pid, "SIGKILL");
}

/** Also in golden-store.test.ts. */
function configurationOf(path, keyspaces) {
  return {
    cluster: { name: "golden", nodes: ["n1"] },
    storage: {
      type: "disk",
      path,
      segmentBytes: "16KiB",
      maxBatchBytes: "4KiB",
      commitInterval: "1s",
    },
    keyspaces,
  };
}

function make(path, script) {
  rmSync(path, { recursive: true, force: true });
  fork(fileURLToPath(script)).once("exit", (_code, signal) => {
    if (signal !== "SIGKILL") throw new Error(`the node ended with ${signal}`);
    rmSync(`${path}/n1/lock`, { force: true });
    rmSync(`${path}/n1/state/lock.mdb`, { force: true });
  });
}

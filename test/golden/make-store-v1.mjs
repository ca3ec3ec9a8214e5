// Makes the golden data of a store of format 1: npm run build && node test/golden/make-store-v1.mjs
// It is what a killed node leaves: some of it in the state file, the rest only in the log. It is
// checked in, and made once for each format version: a later build has to open it as it is.
import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openStore } from "../../dist/index.js";

const path = fileURLToPath(new URL("store-v1", import.meta.url));
/** Also in golden-store.test.ts. */
const configuration = {
  cluster: { name: "golden", nodes: ["n1"] },
  storage: {
    type: "disk",
    path,
    segmentBytes: "16KiB",
    maxBatchBytes: "4KiB",
    commitInterval: "1s",
  },
  keyspaces: {
    users: { strategy: "tunable", replicas: 1, shards: 2 },
    events: { strategy: "tunable", replicas: 1, shards: 1, durability: "os" },
  },
};
const wholeValue = (number) => ({ number, at: new Date(number), bytes: new Uint8Array([number]) });

if (process.send === undefined) {
  rmSync(path, { recursive: true, force: true });
  fork(fileURLToPath(import.meta.url)).once("exit", (_code, signal) => {
    if (signal !== "SIGKILL") throw new Error(`the node ended with ${signal}`);
    rmSync(`${path}/n1/lock`, { force: true });
    rmSync(`${path}/n1/state/lock.mdb`, { force: true });
  });
} else {
  const store = await openStore(configuration, { node: "n1" });
  const users = store.keyspace("users");
  for (let number = 0; number < 20; number += 1)
    await users.put(`user/${number}`, wholeValue(number));
  await store.keyspace("events").put("first", "event");
  // Until the state file has them; what follows is in the log alone.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  for (let number = 10; number < 15; number += 1)
    await users.put(`user/${number}`, wholeValue(100 + number));
  await users.delete("user/3");
  process.kill(process.pid, "SIGKILL");
}

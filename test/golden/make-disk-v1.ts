// Makes the golden data directory of format 1: node --import tsx test/golden/make-disk-v1.ts
// It is checked in, and made once for each format version: a later build has to open it as it is.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeGolden } from "../support/golden-disk.ts";
import { runBeside } from "../support/run-beside.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

const folder = fileURLToPath(new URL("disk-v1", import.meta.url));
const time = new VirtualTime();
await rm(folder, { recursive: true, force: true });
await runBeside(time, makeGolden(folder, time));
// LMDB's table of readers: made anew by whoever opens the state.
await rm(join(folder, "n1", "state", "lock.mdb"));

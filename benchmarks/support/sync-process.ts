/** Writes and syncs without end: `sync-process.ts FILE`. What the others of three processes do. */
import { syncLoop } from "./sync-loop.ts";

const write = syncLoop(process.argv[2] ?? "");
const again = (): void => write(again);
again();
process.send?.("running");
process.on("disconnect", () => process.exit(0));

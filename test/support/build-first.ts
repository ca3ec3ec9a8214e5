import { ensureBuilt } from "./processes.ts";

/** Once, before any file: files that run at the same time must not build below each other. */
export function setup(): void {
  ensureBuilt();
}

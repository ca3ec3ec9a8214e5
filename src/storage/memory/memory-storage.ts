import type { Storage, StorageContext } from "../../core/contracts/storage.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { StoreId } from "../../core/model/ids.ts";
import { MemoryLogStore } from "./memory-log-store.ts";
import { MemoryStateStore } from "./memory-state-store.ts";

const STORE_ID_BYTES = 16;
const ALLOWED_OPTIONS: readonly string[] = Object.freeze(["type"]);

/**
 * Storage that lives and ends with the process: each start is a new store, with a new store id and
 * incarnation 1, which learns its shards from its peers. Takes no options.
 */
export async function memoryStorage(
  options: Readonly<Record<string, unknown>>,
  context: StorageContext,
): Promise<Storage> {
  checkMemoryOptions(options);
  const log = new MemoryLogStore(context.environment);
  const state = new MemoryStateStore(context.environment);
  const storeId = hex(context.environment.random("store-id").bytes(STORE_ID_BYTES)) as StoreId;
  let closing: Promise<void> | undefined;
  return {
    identity: Object.freeze({ storeId, incarnation: 1, fresh: true, kept: "memory" }),
    log,
    state,
    problems: [],
    disown: () => Promise.resolve(),
    close: () => {
      closing ??= log.close().then(() => state.close());
      return closing;
    },
  };
}

/** Throws `INVALID_CONFIGURATION` naming `storage.<option>`: there are none. */
export function checkMemoryOptions(options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (ALLOWED_OPTIONS.includes(name)) continue;
    throw new CapstanError(
      "INVALID_CONFIGURATION",
      `storage.${name} is ${shown(value)}, but memory storage has no options`,
      { allowed: ALLOWED_OPTIONS, details: { path: `storage.${name}` } },
    );
  }
}

/** A configuration may hold what JSON cannot. */
function shown(value: unknown): string {
  const isPlain = typeof value === "string" || typeof value === "number";
  return isPlain ? JSON.stringify(value) : `of type ${typeof value}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

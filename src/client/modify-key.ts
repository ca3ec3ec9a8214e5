import { CapstanError } from "../core/model/errors.ts";
import { refuseNoFunction } from "../core/model/refuse-no-function.ts";
import type {
  ConditionalWritten,
  GetResult,
  Keyspace,
  WriteOptions,
  Written,
} from "../core/store/api.ts";

/** As the embedded store's. */
const MAX_ATTEMPTS = 16;

/**
 * Read, change, write if nothing came in between: again until it holds, a bounded number of times.
 * A fault of the write ends it: where the outcome is unknown, a second try could apply it twice.
 *
 * @throws CapstanError `CONTENDED`; `CONDITIONAL_UNSUPPORTED` where the keyspace has no conditions.
 */
export async function modifyKey(
  keyspace: Keyspace,
  key: string,
  change: (current: unknown) => unknown,
  options: WriteOptions,
): Promise<Written> {
  refuseNoFunction(change);
  const { signal, timeoutMs, session } = options;
  const seen = (token: string | undefined) => token !== undefined && { session: token };
  const call = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
  let current: GetResult<unknown> = await keyspace.get(key, { ...call, ...seen(session) });
  for (let count = 0; count < MAX_ATTEMPTS; count++) {
    const condition = current.found ? { ifVersion: current.version } : { ifAbsent: true };
    const value = change(currentValue(current, key));
    const result = await keyspace.put(key, value, {
      ...options,
      ...seen(current.session),
      ...condition,
    });
    const written = result as ConditionalWritten<unknown>;
    if (written.ok) {
      return { version: written.version, receipt: written.receipt, ...seen(written.session) };
    }
    current = { ...written.current, ...seen(written.session) };
  }
  throw new CapstanError(
    "CONTENDED",
    `modify of ${JSON.stringify(key)} lost to other writers ${MAX_ATTEMPTS} times; its change was not written`,
  );
}

function currentValue(current: GetResult<unknown>, key: string): unknown {
  if (!current.found) return undefined;
  if (!current.conflict) return current.value;
  throw new CapstanError(
    "NOT_SUPPORTED",
    `modify of ${JSON.stringify(key)}: concurrent versions stay apart, so there is no one value`,
  );
}

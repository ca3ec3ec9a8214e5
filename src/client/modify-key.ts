import {
  contended,
  MODIFY_ATTEMPTS,
  refuseNoFunction,
  valueToModify,
} from "../core/model/modify-rules.ts";
import type {
  ConditionalWritten,
  GetResult,
  Keyspace,
  WriteOptions,
  Written,
} from "../core/store/api.ts";

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
  for (let count = 0; count < MODIFY_ATTEMPTS; count++) {
    const condition = current.found ? { ifVersion: current.version } : { ifAbsent: true };
    const value = change(valueToModify(current, key));
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
  throw contended(key);
}

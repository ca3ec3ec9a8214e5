import {
  contended,
  MODIFY_ATTEMPTS,
  refuseNoFunction,
  valueToModify,
} from "../model/modify-rules.ts";
import type { ConditionalWritten, EmbeddedKeyspace, GetResult, Written } from "./api.ts";
import type { CallSettings } from "./call-options.ts";

/**
 * Read, change, write if nothing came in between: again until it holds, a bounded number of times.
 * A write whose outcome is unknown ends it, because a second try could apply the change twice.
 *
 * @throws CapstanError `CONTENDED`; `INVALID_ARGUMENT` where `change` is no function.
 */
export async function modifyKey(
  keyspace: EmbeddedKeyspace,
  key: string,
  change: (current: unknown) => unknown,
  settings: Readonly<CallSettings>,
): Promise<Written> {
  refuseNoFunction(change);
  const { consistency, signal, timeoutMs, ttlMs, session } = settings;
  const call = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
  const write = {
    ...call,
    ...(consistency !== undefined && { consistency }),
    ...(ttlMs !== undefined && { ttlMs }),
  };
  const seen = (session: string | undefined) => session !== undefined && { session };
  let current: GetResult<unknown> = await keyspace.get(key, { ...call, ...seen(session) });
  for (let attempt = 1; attempt <= MODIFY_ATTEMPTS; attempt++) {
    const value = change(valueToModify(current, key));
    const condition = current.found ? { ifVersion: current.version } : { ifAbsent: true };
    const result = (await keyspace.put(key, value, {
      ...write,
      ...seen(current.session),
      ...condition,
    })) as ConditionalWritten<unknown>;
    if (result.ok) {
      return { version: result.version, receipt: result.receipt, ...seen(result.session) };
    }
    current = { ...result.current, ...seen(result.session) };
  }
  throw contended(key);
}

import type { ChangeType } from "../model/operations.ts";

/**
 * - `put`, `delete`, `expire`: of one key; `conflict`: its versions stand apart, as `siblings`.
 * - `synced`: what had happened when the watch began, or since its cursor, has been given. Once. A watch
 *   without a cursor begins in each shard when a replica has answered: from here on it has begun in all.
 *   On raft nothing that was acknowledged before the watch began comes behind it: it waits until the
 *   leader could be asked. Elsewhere, given is what the replica that is followed has.
 * - `gap`: changes are missing, `reason` says why. Whoever keeps a copy has to read it again.
 */
export type WatchEvent<V> = {
  readonly [T in ChangeType]: { readonly type: T } & WatchEventFields<V>[T] & {
      /** Where the watch stands: one that is given this `cursor` goes on behind this event. */
      readonly cursor: string;
    };
}[ChangeType];

interface WatchEventFields<V> {
  put: ChangeOfKey & { readonly value: V; readonly siblings?: never };
  delete: ChangeOfKey & NoValue;
  expire: ChangeOfKey & NoValue;
  conflict: ChangeOfKey & { readonly siblings: readonly V[]; readonly value?: never };
  synced: NoKey & { readonly reason?: never };
  gap: NoKey & { readonly reason?: string };
}

interface ChangeOfKey {
  readonly key: string;
  readonly version?: string;
  readonly reason?: never;
}

interface NoValue {
  readonly value?: never;
  readonly siblings?: never;
}

interface NoKey extends NoValue {
  readonly key?: never;
  readonly version?: never;
}

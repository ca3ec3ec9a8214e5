import type { EmbeddedKeyspace, GetResult, Written } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { CausalContext } from "./copies.ts";
import { type CrdtScene, CrdtWorkload } from "./crdt-workload.ts";
import type { GhostWrites } from "./ghost-writes.ts";
import { type VersionScene, VersionWorkload } from "./version-workload.ts";
import type { WatchedCrdt } from "./watched-crdt.ts";

type WriteOptions = Parameters<EmbeddedKeyspace["put"]>[2];

/** One write of one client. */
export interface WriteCall {
  readonly id: string;
  readonly key: string;
  readonly isDeletion?: boolean;
  send(keyspace: EmbeddedKeyspace, options: NonNullable<WriteOptions>): Promise<Written>;
}

/** What a read of all replicas found of one key, when everything was whole again. */
export interface Final {
  readonly key: string;
  readonly result: GetResult<unknown> | undefined;
  /**
   * Whether the event that a write's answer named is known in the end. By a floor alone it may be
   * although all who held it have lost it: that says nothing of what became of it.
   */
  covers(version: string): boolean;
  /** All that is known in the end; undefined where only what the values come to is judged. */
  readonly known?: CausalContext | undefined;
}

/** A node's copy of a key is about to become this record. */
export interface Commit {
  readonly node: string;
  readonly atMs: number;
  readonly key: string;
  readonly held: Uint8Array | undefined;
  readonly record: Uint8Array;
}

/** What clients do with keys of one resolver, and what that has to come to. */
export interface Workload {
  /** Of the writes, this share reads the key first. */
  readonly readFirstShare: number;
  /** Where versions stand side by side. */
  readonly ghosts: GhostWrites | undefined;
  draw(draw: Draw, key: string, read: GetResult<unknown> | undefined, id: string): WriteCall;
  /** It is about to be sent. */
  begun(call: WriteCall): void;
  acknowledged(call: WriteCall, version: string): void;
  failed(call: WriteCall, isUnknown: boolean): void;
  noteCommit?(commit: Commit): void;
  noteRead(key: string, result: GetResult<unknown>): void;
  /** Whether what clients were told of failed writes was true. */
  judgeOutcomes(): readonly Violation[];
  judgeFinal(final: Final): readonly Violation[];
}

/** @param watched of a resolver that is a CRDT. */
export function makeWorkload(
  resolver: string,
  watched: WatchedCrdt | undefined,
  scene: CrdtScene & VersionScene,
): Workload {
  if (watched !== undefined) return new CrdtWorkload(watched, scene);
  return new VersionWorkload(resolver, scene);
}

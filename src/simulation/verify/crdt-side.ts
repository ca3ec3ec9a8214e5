import type { Resolver } from "../../core/contracts/resolver.ts";
import { committedRecords } from "../scenario/dynamo/committed-records.ts";
import { DynamoCopies } from "../scenario/dynamo/copies.ts";
import { CrdtWorkload } from "../scenario/dynamo/crdt-workload.ts";
import { type WatchedCrdt, watchCrdt } from "../scenario/dynamo/watched-crdt.ts";
import type { Topology } from "../scenario/topology.ts";
import type { SimWorld } from "../sim-world.ts";
import type { Subject } from "./subject.ts";

/** What the clients of a keyspace of a CRDT do, and what that has to come to. */
export interface CrdtSide {
  readonly workload: CrdtWorkload;
  readonly copies: DynamoCopies;
  /** Whether its operations are amounts, so that its value is their sum. */
  readonly counts: boolean;
}

/** The keyspace's CRDT, watched; undefined where it has none that there is a model of. */
export function watchedOf({ use, keyspace }: Subject): WatchedCrdt | undefined {
  const { resolver } = keyspace;
  return use === "crdt" && typeof resolver === "string" ? watchCrdt(resolver) : undefined;
}

/** The subject's configuration with the CRDT that tells which operations were carried out. */
export function configurationWith(
  watched: WatchedCrdt | undefined,
  { configuration, keyspace: { name } }: Subject,
): Readonly<Record<string, unknown>> {
  if (watched === undefined) return configuration;
  const keyspaces = configuration.keyspaces as Readonly<Record<string, object>>;
  const resolver: Resolver = watched.resolver;
  return {
    ...configuration,
    keyspaces: { ...keyspaces, [name]: { ...keyspaces[name], resolver } },
  };
}

/** From now on it hears of every commit in the world. */
export function crdtSideOf(
  watched: WatchedCrdt,
  { keyspace }: Subject,
  { world, topology }: { readonly world: SimWorld; readonly topology: Topology },
): CrdtSide {
  const copies = new DynamoCopies(world, topology.of(keyspace.name));
  const workload = new CrdtWorkload(watched, {
    contextOf: (key, version) => copies.contextOf(key, version),
    losses: () => topology.losses,
    storeIdOf: (node) => copies.storeIdOf(node),
  });
  world.onCommit = (node, state, batch) => {
    const atMs = world.time.nowMs;
    for (const { key, record, held } of committedRecords(keyspace.hash, state, batch)) {
      workload.noteCommit({ node, atMs, key, held: held(), record });
    }
  };
  return { workload, copies, counts: COUNTERS.includes(watched.resolver.name) };
}

const COUNTERS: readonly string[] = Object.freeze(["g-counter", "pn-counter"]);

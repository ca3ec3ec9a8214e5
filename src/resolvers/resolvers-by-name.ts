import type { CrdtResolver, Resolver } from "../core/contracts/resolver.ts";
import { anyCrdt } from "./crdt/any-crdt.ts";
import { gCounter, pnCounter } from "./crdt/counters.ts";
import { flag } from "./crdt/flag.ts";
import { gSet } from "./crdt/g-set.ts";
import { lwwRegister } from "./crdt/lww-register.ts";
import { mvRegister } from "./crdt/mv-register.ts";
import { orMap } from "./crdt/or-map.ts";
import { orSet } from "./crdt/or-set.ts";
import { lww } from "./lww.ts";
import { union } from "./union-of-items.ts";
import { versionVector } from "./version-vector.ts";

/** The CRDTs that a configuration can name, and the kinds that the keys of an `or-map` can be of. */
export function crdtsByName(): Readonly<Record<string, CrdtResolver>> {
  const kinds = {
    "g-counter": gCounter(),
    "pn-counter": pnCounter(),
    "g-set": gSet(),
    "or-set": orSet(),
    "lww-register": lwwRegister(),
    "mv-register": mvRegister(),
    flag: flag(),
  } as Readonly<Record<string, CrdtResolver>>;
  const map = orMap(anyCrdt(kinds), { name: "or-map" }) as CrdtResolver;
  return Object.freeze({ ...kinds, "or-map": map });
}

/** The resolvers that a configuration can name without a module of the user's own. */
export function resolversByName(): Readonly<Record<string, Resolver>> {
  return Object.freeze({
    lww: lww(),
    "version-vector": versionVector(),
    union: union(),
    ...crdtsByName(),
  });
}

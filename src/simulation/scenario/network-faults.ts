import type { SimWorld } from "../sim-world.ts";
import type { Draw } from "./draw.ts";
import type { FaultStart } from "./faults.ts";
import type { FaultKind } from "./plan.ts";

type NetworkFault = Extract<
  FaultKind,
  "partition" | "one-way" | "isolation" | "bridge" | "flapping" | "clog" | "disconnect"
>;

/** Of the partitions of a world with datacenters, this share cuts one of them off. */
const AWAY_SHARE = 0.5;
const FLAP_MS: readonly [number, number] = Object.freeze([50, 600] as const);

export const NETWORK_FAULTS: Readonly<Record<NetworkFault, FaultStart>> = Object.freeze({
  partition: ({ world }, draw) => {
    if (world.nodes.length < 2) return undefined;
    const ids = draw.shuffled(idsOf(world));
    const size = draw.whole(1, ids.length - 1);
    const [away, ...others] = draw.shuffled(world.datacenters.map((nodes) => [...nodes]));
    if (away !== undefined && others.length > 0 && draw.chance(AWAY_SHARE)) {
      return cutBetween(world, draw, away, others.flat());
    }
    return cutBetween(world, draw, ids.slice(0, size), ids.slice(size));
  },
  "one-way": ({ world }, draw) => {
    const [from, to] = draw.shuffled(idsOf(world));
    if (from === undefined || to === undefined) return undefined;
    world.network.cutOneWay(from, to);
    return { durationMs: duration(draw), undo: () => world.network.join(from, to) };
  },
  isolation: ({ world }, draw) => {
    const [alone, ...others] = draw.shuffled(idsOf(world));
    if (alone === undefined || others.length === 0) return undefined;
    return cutBetween(world, draw, [alone], others);
  },
  bridge: ({ world }, draw) => {
    const [, ...others] = draw.shuffled(idsOf(world));
    if (others.length < 2) return undefined;
    const size = draw.whole(1, others.length - 1);
    return cutBetween(world, draw, others.slice(0, size), others.slice(size));
  },
  flapping: ({ world }, draw) => {
    const [a, b] = draw.shuffled(idsOf(world));
    if (a === undefined || b === undefined) return undefined;
    let isOver = false;
    const flap = (cuts: boolean): void => {
      if (isOver) return;
      if (cuts) world.network.cut(a, b);
      else world.network.join(a, b);
      world.time.setTimer(draw.between(...FLAP_MS), () => flap(!cuts));
    };
    flap(true);
    return {
      durationMs: duration(draw),
      undo: () => {
        isOver = true;
        world.network.join(a, b);
      },
    };
  },
  /** One after the other, and free again in another order (FoundationDB's "swizzle"). */
  clog: ({ world }, draw) => {
    const [, ...clogged] = draw.shuffled(idsOf(world));
    if (clogged.length === 0) return undefined;
    const durationMs = duration(draw);
    for (const id of clogged) {
      const beginsMs = draw.between(0, durationMs / 2);
      world.time.setTimer(beginsMs, () => clogAll(world, id));
    }
    for (const id of draw.shuffled(clogged)) {
      const endsMs = draw.between(durationMs / 2, durationMs);
      world.time.setTimer(endsMs, () => unclogAll(world, id));
    }
    return {
      durationMs,
      undo: () => {
        for (const id of clogged) unclogAll(world, id);
      },
    };
  },
  disconnect: ({ world }, draw) => {
    if (world.nodes.length < 2) return undefined;
    const id = draw.pick(idsOf(world));
    world.network.takeOffline(id);
    return {
      durationMs: draw.magnitude(5, 5_000),
      undo: () => world.network.bringOnline(id),
    };
  },
} satisfies Record<NetworkFault, FaultStart>);

function idsOf(world: SimWorld): readonly string[] {
  return world.nodes.map(({ id }) => id);
}

function duration(draw: Draw): number {
  return draw.magnitude(100, 10_000);
}

function cutBetween(world: SimWorld, draw: Draw, some: string[], others: string[]) {
  for (const a of some) for (const b of others) world.network.cut(a, b);
  return {
    durationMs: duration(draw),
    undo: () => {
      for (const a of some) for (const b of others) world.network.join(a, b);
    },
  };
}

function clogAll(world: SimWorld, id: string): void {
  for (const other of idsOf(world)) {
    if (other === id) continue;
    world.network.clog(id, other);
    world.network.clog(other, id);
  }
}

function unclogAll(world: SimWorld, id: string): void {
  for (const other of idsOf(world)) {
    if (other === id) continue;
    world.network.unclog(id, other);
    world.network.unclog(other, id);
  }
}

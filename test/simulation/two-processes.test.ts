import { describe, expect, test, vi } from "vitest";
import type { SimNode } from "../../src/simulation/sim-node.ts";
import { SimWorld } from "../../src/simulation/sim-world.ts";

const NODES = ["n1", "n2", "n3"];
const PATIENCE_MS = 60_000;
const STEP_MS = 50;

vi.setConfig({ testTimeout: 60_000 });

/** Three nodes on disks, each keyspace with a key on every node's word. */
async function opened(seed: number): Promise<Stage> {
  const keyspaces = {
    carts: { strategy: "tunable", replicas: 3, shards: 2 },
    accounts: { strategy: "raft", replicas: 3, shards: 2 },
  };
  const world = new SimWorld({ seed, nodes: NODES, configuration: { keyspaces } });
  await world.driver.until(Promise.all(NODES.map((id) => world.start(id))), PATIENCE_MS);
  const ready = world.nodes.map(({ life }) => life?.store?.ready());
  await world.driver.until(Promise.all(ready), PATIENCE_MS);
  const stage = new Stage(world);
  await stage.write(world.nodes, 10);
  return stage;
}

class Stage {
  readonly world: SimWorld;
  readonly acknowledged = new Map<string, number>();
  #written = 0;

  constructor(world: SimWorld) {
    this.world = world;
  }

  /** Through each of the processes, all at once; what is refused is nobody's loss. */
  async write(through: readonly SimNode[], count: number): Promise<void> {
    for (let round = 0; round < count; round += 1) {
      const writes = through.flatMap((node) => this.#writes(node));
      await this.world.driver.until(Promise.all(writes), PATIENCE_MS);
      await this.world.driver.run(STEP_MS);
    }
  }

  async expectAll(): Promise<void> {
    const lost: string[] = [];
    for (const [name, value] of this.acknowledged) {
      const [keyspace, key] = name.split("/") as [string, string];
      for (const { life } of this.world.running()) {
        const level = keyspace === "carts" ? "quorum" : "strong";
        const reading = life?.store?.keyspace(keyspace).get(key, { consistency: level });
        const read = await this.world.driver.until(
          reading as NonNullable<typeof reading>,
          PATIENCE_MS,
        );
        if (!read.found || read.conflict || read.value !== value) lost.push(`${name} at ${life}`);
      }
    }
    expect(lost).toEqual([]);
  }

  async until(condition: () => boolean): Promise<void> {
    for (let waitedMs = 0; !condition() && waitedMs < PATIENCE_MS; waitedMs += STEP_MS) {
      await this.world.driver.run(STEP_MS);
    }
    expect(condition(), condition.toString()).toBe(true);
  }

  #writes({ life }: SimNode): Promise<void>[] {
    const store = life?.store;
    if (store === undefined) return [];
    return ["carts", "accounts"].map(async (keyspace) => {
      this.#written += 1;
      const [key, value] = [`key-${this.#written}`, this.#written];
      const options = { timeoutMs: 500 } as const;
      const writing = store.keyspace(keyspace).put(key, value, options);
      await writing.then(
        () => this.acknowledged.set(`${keyspace}/${key}`, value),
        () => undefined,
      );
    });
  }
}

function failuresOf({ life }: SimNode): unknown[] {
  return (life?.events ?? []).filter(({ type }) => type === "failed").map(({ code }) => code);
}

describe("a second process on a copy of a node's disk", () => {
  test.each([1, 2])("stops; nothing that was acknowledged is lost (seed %i)", async (seed) => {
    const stage = await opened(seed);
    const { world } = stage;
    void world.startCopy("n2").catch(() => undefined);
    const [copy] = world.copies as [SimNode];
    await stage.until(() => copy.life?.store !== undefined);
    await stage.write([...world.nodes, copy], 10);
    await stage.until(() => failuresOf(copy).length > 0);
    expect(failuresOf(copy)).toEqual(["IDENTITY_CONFLICT"]);
    world.crashCopy(copy);
    await stage.write(world.nodes, 5);
    expect(world.nodes.flatMap(failuresOf)).toEqual([]);
    await stage.expectAll();
    for (const id of NODES) await world.driver.until(world.stop(id), PATIENCE_MS);
  });

  test("takes the place of a process that hangs, which gives way when it goes on", async () => {
    const stage = await opened(4);
    const { world } = stage;
    const storeId = world.node("n2").life?.store?.describe().storeId;
    void world.startCopy("n2").catch(() => undefined);
    const [copy] = world.copies as [SimNode];
    world.pause("n2");
    await stage.until(() => copy.life?.store !== undefined);
    const others = [world.node("n1"), world.node("n3")];
    await stage.until(() => isMet(others));
    await stage.write([...others, copy], 10);
    world.resume("n2");
    const first = world.node("n2");
    await stage.until(() => failuresOf(first).length > 0);
    expect(failuresOf(first)).toEqual(["IDENTITY_CONFLICT"]);
    expect([copy, ...others].flatMap(failuresOf)).toEqual([]);
    world.crashCopy(copy);
    world.crash("n2");
    // Its data is given up: the next start is another store, and learns.
    await world.driver.until(world.start("n2"), PATIENCE_MS);
    expect(world.node("n2").life?.store?.describe().storeId).not.toBe(storeId);
    await stage.until(() => isMet(world.nodes));
    await stage.write(world.nodes, 5);
    await stage.expectAll();
  });
});

/** Everybody reaches everybody. */
function isMet(nodes: readonly SimNode[]): boolean {
  return nodes.every(({ life }) =>
    life?.store?.describe().nodes.every(({ status }) => status === "active"),
  );
}

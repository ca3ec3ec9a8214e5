import { describe, expect, it } from "vitest";
import type { Sender, ShardPlacement } from "../../../../../src/core/contracts/machine.ts";
import type { MachineChange } from "../../../../../src/core/contracts/machine-change.ts";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { encodeKey } from "../../../../../src/core/model/keys.ts";
import type { EngineChange } from "../../../../../src/core/model/operations.ts";
import type { MachineCell } from "../../../../../src/core/store/machine-cell.ts";
import { KeyspaceWatches } from "../../../../../src/core/store/watch/keyspace-watches.ts";
import {
  type WatchMessage,
  watchCodec,
} from "../../../../../src/core/store/watch/watch-messages.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";

const SHARDS = 2;
const NODES = ["n1", "n2", "n3"] as NodeId[];

interface FakeCell {
  readonly shardIndex: number;
  open: boolean;
  openings: number;
  isWatched: boolean;
  replica: { serving: boolean; catchesUp: boolean };
}

/** A question that a replica was asked. */
interface CatchUp {
  readonly shardIndex: number;
  readonly token: number;
}

/** One node of a keyspace of two shards, both at n1 and n2; n3 holds nothing. */
class Node {
  readonly sender: Sender;
  readonly cells: readonly FakeCell[];
  readonly watches: KeyspaceWatches;
  isCut = false;
  readonly sent: WatchMessage[] = [];
  /** Not answered yet. */
  readonly asked: CatchUp[] = [];

  constructor(id: NodeId, world: World, sharesOrder: boolean) {
    this.sender = { node: id, storeId: `store-of-${id}`, incarnation: 1 } as unknown as Sender;
    const holds = id !== "n3";
    this.cells = Array.from({ length: holds ? SHARDS : 0 }, (_, shardIndex) => ({
      ...{ shardIndex, open: true, openings: 1, isWatched: false },
      replica: { serving: true, catchesUp: false },
    }));
    const placement = { replicas: NODES.slice(0, 2) } as unknown as ShardPlacement;
    this.watches = new KeyspaceWatches({
      self: this.sender,
      keyspaceHash: 7,
      sharesOrder,
      environment: new VirtualEnvironment({ time: world.time }),
      elsewhere: [],
      placements: Array.from({ length: SHARDS }, () => placement),
      askReplica: ({ shardIndex }, token) => this.asked.push({ shardIndex, token }),
      replicaOf: (shardIndex) => this.cells[shardIndex] as unknown as MachineCell | undefined,
      isReachable: (node) => !this.isCut && !world.node(node).isCut,
      send: (to, shardIndex, message) => {
        this.sent.push(message);
        world.carry(this, to, shardIndex, message);
      },
    });
  }

  /** What a replica of raft says, applying its log. */
  apply(shardIndex: number, sequence: number, key: string): void {
    this.publish(shardIndex, {
      ...{ type: "put", key: encodeKey(key), value: new Uint8Array(2) },
      position: { order: "group", sequence },
    });
  }

  publish(shardIndex: number, change: MachineChange): void {
    this.watches.publish(this.cells[shardIndex] as unknown as MachineCell, change);
  }

  /** Answers all that was asked so far; how much that was. */
  answer(isSo: boolean): number {
    const asked = this.asked.splice(0);
    for (const { shardIndex, token } of asked) {
      const cell = this.cells[shardIndex] as unknown as MachineCell;
      this.watches.take(cell, { type: "caught-up", token, isSo });
    }
    return asked.length;
  }
}

class World {
  readonly time = new VirtualTime();
  readonly #nodes: ReadonlyMap<NodeId, Node>;
  /** Messages that get lost, of those that come next. */
  losing = 0;

  constructor({
    shared,
    opened = shared,
  }: { readonly shared: boolean; readonly opened?: boolean }) {
    this.#nodes = new Map(NODES.map((id) => [id, new Node(id, this, shared)]));
    if (opened) this.open();
  }

  /** Replicas can be asked whether they have all there is. */
  static whereReplicasCatchUp(): World {
    const world = new World({ shared: true });
    for (const node of world.#nodes.values()) {
      for (const { replica } of node.cells) replica.catchesUp = true;
    }
    return world;
  }

  /** Every replica says where it stands. */
  open(): void {
    for (const node of this.#nodes.values()) {
      for (const { shardIndex } of node.cells) {
        const position = { order: "group", sequence: 5 };
        node.publish(shardIndex, { type: "gap", position, reason: "opened" });
      }
    }
  }

  node(id: string): Node {
    return this.#nodes.get(id as NodeId) as Node;
  }

  carry(from: Node, to: NodeId, shardIndex: number, message: WatchMessage): void {
    if (from.isCut || this.node(to).isCut) return;
    if (this.losing-- > 0) return;
    const writer = new ByteWriter();
    watchCodec.encode(message, writer);
    const bytes = writer.copy();
    new VirtualEnvironment({ time: this.time }).setTimer(1, () =>
      this.node(to).watches.receive(from.sender, shardIndex, new ByteReader(bytes)),
    );
  }

  read(id: string, cursor?: string, prefix?: string): Reader {
    const reader = new Reader();
    const bytes = prefix === undefined ? undefined : encodeKey(prefix);
    const { watches } = this.node(id);
    const taken = watches.subscribe(
      { prefix: bytes, cursor },
      (change) => reader.changes.push(change),
      (fault) => reader.ends.push(fault),
    );
    reader.stop = () => taken.cancel();
    this.time.advance(100);
    return reader;
  }
}

class Reader {
  readonly changes: EngineChange[] = [];
  readonly ends: unknown[] = [];
  stop: () => void = () => undefined;

  get said(): readonly string[] {
    return this.changes.map(({ type, key }) =>
      key === undefined ? type : Buffer.from(key).toString(),
    );
  }

  get cursor(): string {
    return this.changes.at(-1)?.cursor as string;
  }
}

describe("watches over replicas that share an order", () => {
  it("go on at any replica, without a gap, and without anything twice", () => {
    const world = new World({ shared: true });
    for (const id of ["n1", "n2"]) world.node(id).apply(0, 6, "a");
    const first = world.read("n1");
    for (const id of ["n1", "n2"]) world.node(id).apply(0, 7, "b");
    world.time.advance(10);
    expect(first.said).toEqual(["synced", "b"]);
    first.stop();
    for (const id of ["n1", "n2"]) world.node(id).apply(0, 8, "c");
    expect(world.read("n2", first.cursor).said).toEqual(["c", "synced"]);
    expect(world.read("n3", first.cursor).said).toEqual(["c", "synced"]);
  });

  it("wait for a replica that is behind the cursor", () => {
    const world = new World({ shared: true });
    world.node("n1").apply(0, 9, "a");
    const first = world.read("n1");
    const second = world.read("n2", first.cursor);
    expect(second.said).toEqual([]);
    world.node("n2").apply(0, 9, "a");
    world.node("n2").apply(0, 10, "b");
    world.time.advance(300);
    expect(second.said).toEqual(["b", "synced"]);
  });

  it("wait until their replicas have said where they stand", () => {
    const world = new World({ shared: true, opened: false });
    const readers = ["n1", "n3"].map((id) => world.read(id));
    for (const reader of readers) expect(reader.said).toEqual([]);
    world.open();
    world.node("n1").apply(0, 6, "a");
    world.node("n2").apply(0, 6, "a");
    world.time.advance(1_000);
    // What was applied before the reader had found its replica is not of its watch.
    for (const reader of readers)
      expect(reader.said.filter((each) => each !== "a")).toEqual(["synced"]);
  });

  it("are kept while nobody watches, for those who come back", () => {
    const world = new World({ shared: true });
    const first = world.read("n1");
    first.stop();
    world.time.advance(600_000);
    world.node("n1").apply(1, 6, "late");
    expect(world.read("n1", first.cursor).said).toEqual(["late", "synced"]);
  });

  it("move to another replica when theirs stops serving, and nothing is missing", () => {
    const world = new World({ shared: true });
    const reader = world.read("n3");
    expect(reader.said).toEqual(["synced"]);
    world.node("n1").isCut = true;
    for (const node of ["n3", "n2"]) world.node(node).watches.review();
    for (const shard of [0, 1]) world.node("n2").apply(shard, 6, `k${shard}`);
    world.time.advance(1_000);
    expect([...reader.said].sort()).toEqual(["k0", "k1", "synced"]);

    const here = world.read("n2");
    const [cell] = world.node("n2").cells;
    world.node("n1").isCut = false;
    for (const each of world.node("n2").cells) each.replica.serving = false;
    world.time.advance(1_000);
    for (const shard of [0, 1]) {
      world.node("n1").apply(shard, 6, `k${shard}`);
      world.node("n1").apply(shard, 7, `next${shard}`);
    }
    world.time.advance(1_000);
    expect(cell?.replica.serving).toBe(false);
    expect([...here.said].sort()).toEqual(["next0", "next1", "synced"]);
  });
});

describe("watches over replicas that may lack what was acknowledged", () => {
  /** At n1, and at n3, which holds nothing and asks n1. */
  const ways = ["n1", "n3"];

  it.each(ways)("are in step once the replica has caught up, and told meanwhile, at %s", (id) => {
    const world = World.whereReplicasCatchUp();
    const n1 = world.node("n1");
    n1.apply(0, 6, "a");
    const reader = world.read(id);
    expect(reader.said).toEqual([]);
    n1.apply(0, 7, "acknowledged before");
    world.time.advance(3_000);
    expect(reader.said).toEqual(["acknowledged before"]);
    n1.apply(0, 8, "and this");
    expect(n1.answer(true)).toBe(SHARDS);
    world.time.advance(10);
    expect(reader.said).toEqual(["acknowledged before", "and this", "synced"]);
    n1.apply(0, 9, "later");
    world.time.advance(10);
    expect(reader.said.at(-1)).toBe("later");
    world.time.advance(60_000);
    expect(n1.asked).toEqual([]);
  });

  it.each(ways)("go by no question from before they began, at %s", (id) => {
    const world = World.whereReplicasCatchUp();
    const n1 = world.node("n1");
    const first = world.read(id);
    const second = world.read(id);
    expect(n1.answer(true)).toBe(SHARDS);
    world.time.advance(10);
    expect([first.said, second.said]).toEqual([["synced"], []]);
    expect(n1.answer(true)).toBe(SHARDS);
    world.time.advance(10);
    expect(second.said).toEqual(["synced"]);
    // From a cursor it is no different.
    const third = world.read(id, first.cursor);
    expect(third.said).toEqual([]);
    n1.answer(true);
    world.time.advance(10);
    expect(third.said).toEqual(["synced"]);
  });

  it.each(ways)(
    "have the replica asked again that could not find out, or was lost, at %s",
    (id) => {
      const world = World.whereReplicasCatchUp();
      const n1 = world.node("n1");
      const reader = world.read(id);
      for (let tries = 0; tries < 5; tries++) {
        expect(n1.answer(false)).toBe(SHARDS);
        world.time.advance(10);
        // At once it would find out no more.
        expect(n1.asked).toEqual([]);
        world.time.advance(1_000);
      }
      expect(n1.asked.splice(0)).toHaveLength(SHARDS);
      world.time.advance(4_000);
      expect(n1.asked).toEqual([]);
      world.time.advance(3_000);
      expect(reader.said).toEqual([]);
      expect(n1.answer(true)).toBe(SHARDS);
      world.time.advance(10);
      expect(reader.said).toEqual(["synced"]);
    },
  );

  it.each(ways)("come in step however much is written meanwhile, at %s", (id) => {
    const world = World.whereReplicasCatchUp();
    const n1 = world.node("n1");
    const reader = world.read(id);
    for (let sequence = 6; sequence < 106; sequence++) {
      for (let shard = 0; shard < SHARDS; shard++) n1.apply(shard, sequence, `${shard}`);
      if (sequence === 50) n1.answer(true);
      world.time.advance(2);
    }
    expect(reader.said).toContain("synced");
  });

  it.each(ways)("leave nothing behind when they stop, at %s", (id) => {
    const world = World.whereReplicasCatchUp();
    const n1 = world.node("n1");
    const reader = world.read(id);
    reader.stop();
    n1.answer(false);
    world.time.advance(20_000);
    const { sent } = world.node(id);
    const before = sent.length;
    n1.answer(true);
    world.time.advance(60_000);
    expect(n1.asked).toEqual([]);
    expect(sent.length).toBe(before);
    expect(reader.said).toEqual([]);
    expect(world.time.pendingTimers).toBe(0);
  });

  it("begin anew at another replica", () => {
    const world = World.whereReplicasCatchUp();
    const reader = world.read("n3");
    world.node("n1").isCut = true;
    world.node("n3").watches.review();
    world.time.advance(100);
    expect(reader.said).toEqual([]);
    expect(world.node("n2").answer(true)).toBe(SHARDS);
    world.time.advance(10);
    expect(reader.said).toEqual(["synced"]);
  });

  it("are not taken for those of their node's last process", () => {
    const world = World.whereReplicasCatchUp();
    const n1 = world.node("n1");
    world.read("n3");
    const storeId = "another" as Sender["storeId"];
    const pull = { type: "pull", watch: 1, number: 1, wait: false, prefix: undefined } as const;
    const from = { order: "group", sequence: 5, offset: 0 };
    const writer = new ByteWriter();
    watchCodec.encode({ ...pull, from }, writer);
    const { sender } = world.node("n3");
    n1.watches.receive({ ...sender, storeId }, 0, new ByteReader(writer.copy()));
    const before = n1.sent.length;
    // Those of the watch that is there have other numbers.
    const isOfOne = ({ type, number }: WatchMessage) => type === "page" && number === 1;
    expect(n1.answer(true)).toBe(SHARDS);
    world.time.advance(1);
    expect(n1.sent.slice(before).filter(isOfOne)).toEqual([]);
    // One more question, for the one that came later.
    expect(n1.answer(true)).toBe(1);
    world.time.advance(1);
    expect(n1.sent.slice(before).filter(isOfOne)).toHaveLength(1);
  });
});

describe("watches over replicas with orders of their own", () => {
  it("leave changes out while nobody watches, and say so to those who come back late", () => {
    const world = new World({ shared: false });
    const node = world.node("n1");
    const change = (key: string): MachineChange => ({ type: "delete", key: encodeKey(key) });
    const first = world.read("n1");
    node.publish(0, change("a"));
    world.time.advance(10);
    expect(first.said).toEqual(["synced", "a"]);
    first.stop();
    world.time.advance(30_000);
    node.publish(0, change("b"));
    const second = world.read("n1", first.cursor);
    expect(second.said).toEqual(["b", "synced"]);
    second.stop();

    const last = world.read("n1");
    last.stop();
    world.time.advance(70_000);
    node.publish(0, change("c"));
    node.publish(1, change("c"));
    expect(node.cells.map(({ isWatched }) => isWatched)).toEqual([false, false]);
    expect(world.read("n1", last.cursor).said).toEqual(["gap", "gap", "synced"]);
  });
});

describe("questions between nodes", () => {
  it("are asked again when they, or their answers, are lost", () => {
    const world = new World({ shared: true });
    world.losing = 3;
    const reader = world.read("n3");
    world.time.advance(10_000);
    expect(reader.said).toEqual(["synced"]);
    world.losing = 2;
    world.node("n1").apply(0, 6, "a");
    world.node("n2").apply(0, 6, "a");
    world.time.advance(10_000);
    expect(reader.said).toEqual(["synced", "a"]);
  });

  it("cost little while nothing happens", () => {
    const world = new World({ shared: true });
    world.read("n3");
    const before = world.node("n3").sent.length;
    world.time.advance(60_000);
    expect(world.node("n3").sent.length - before).toBeLessThanOrEqual(60 * SHARDS);
  });

  it("stop with the watch that asked them", () => {
    const world = new World({ shared: true });
    world.read("n3").stop();
    world.time.advance(5_000);
    const before = world.node("n3").sent.length;
    world.time.advance(60_000);
    expect(world.node("n3").sent.length).toBe(before);
  });

  it("are passed on by a node that cannot answer", () => {
    const world = new World({ shared: true });
    for (const cell of world.node("n1").cells) cell.replica.serving = false;
    expect(world.read("n3").said).toEqual(["synced"]);
  });
});

describe("the watches of a node", () => {
  it("filter by prefix, here and there", () => {
    const world = new World({ shared: true });
    const readers = ["n1", "n3"].map((id) => world.read(id, undefined, "a/"));
    for (const [index, key] of ["a/1", "b/1", "a/2"].entries()) {
      world.node("n1").apply(0, 6 + index, key);
    }
    world.time.advance(100);
    for (const reader of readers) expect(reader.said).toEqual(["synced", "a/1", "a/2"]);
  });

  it("are bounded", () => {
    const world = new World({ shared: true });
    const { watches } = world.node("n3");
    const subscribe = () =>
      watches.subscribe(
        { prefix: undefined, cursor: undefined },
        () => undefined,
        () => undefined,
      );
    const taken = Array.from({ length: 1_024 }, subscribe);
    expect(subscribe).toThrow(expect.objectContaining({ code: "OVERLOADED" }));
    taken[0]?.cancel();
    expect(subscribe).not.toThrow();
  });

  it("end once, with what ended them", () => {
    const world = new World({ shared: true });
    const readers = [world.read("n1"), world.read("n1")];
    const { watches } = world.node("n1");
    readers[1]?.stop();
    watches.close(undefined);
    watches.close(undefined);
    expect(readers.map(({ ends }) => ends)).toEqual([[undefined], []]);
    world.node("n1").apply(0, 6, "late");
    world.time.advance(100);
    expect(readers[0]?.said).toEqual(["synced"]);
  });

  it("give up to a cursor what was not reached when it was made", () => {
    const world = new World({ shared: true });
    world.node("n1").isCut = true;
    world.node("n2").isCut = true;
    const reader = world.read("n3");
    expect(reader.said).toEqual([]);
    world.node("n1").isCut = false;
    world.losing = 1;
    world.time.advance(1_000);
    // One shard has answered, the other has not: its place in the cursor is empty.
    world.node("n1").apply(1, 6, "a");
    world.time.advance(100);
    const { cursor } = reader;
    expect(reader.said).toEqual(["a"]);
    expect(world.read("n1", cursor).said).toEqual(["gap", "synced"]);
  });
});

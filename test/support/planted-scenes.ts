import { ok } from "node:assert/strict";
import { contextOfRecord } from "../../src/built-ins.ts";
import { shardIndexForKey } from "../../src/core/model/hash.ts";
import type { SimulatedDisk } from "../../src/simulation/simulated-disk.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { PLANTED_DYNAMO_SCENES } from "./planted-dynamo-scenes.ts";
import { PLANTED_TUNABLE_SCENES } from "./planted-leaderless-scenes.ts";
import { PLANTED_RAFT_SCENES } from "./planted-raft-scenes.ts";
import { moveMajority, Stage } from "./planted-stage.ts";

/** Longer than any test runs: the state of such a disk is always behind its log. */
const NEVER_MS = 1e9;
/** An emptied replica serves again by then. */
const REBUILT_MS = 5_000;
const SHARDS = 6;
const LARGE = "-".repeat(3_000);
const QUORUM = Object.freeze({ consistency: "quorum" } as const);

/** With the bug switched on, or without it: promises that were broken, in words. */
export type Scene = (isPlanted: boolean) => Promise<readonly string[]>;

const replayForgotten: Scene = async (isPlanted) => {
  const strategy = makeTunableStrategy({ replayForgotten: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy } });
  stage.node("n2").disk.stateLagMs = NEVER_MS;
  ok(await moveMajority(stage, {}), "the second majority answers");
  return stage.staleReads();
};

const incompleteShardTrusted: Scene = async (isPlanted) => {
  const stage = await Stage.open({
    keyspace: { strategy: "tunable", durability: "os" },
    host: { incompleteShardTrusted: isPlanted },
    log: { lazySyncMs: 10_000 },
  });
  await moveMajority(stage, { power: "lose" });
  return stage.staleReads();
};

/** The disk of n2 is put back after it has run on another one, which has acknowledged a write. */
const followedStoreTrusted: Scene = async (isPlanted) => {
  const stage = await Stage.open({
    keyspace: { strategy: "tunable" },
    host: { followedStoreTrusted: isPlanted },
  });
  const { disk } = stage.node("n2");
  stage.world.crash("n2");
  const first = disk.copy();
  disk.wipe();
  await stage.restart("n2");
  await stage.run(REBUILT_MS);
  ok(stage.describe("n2").serving === 1, "the replica on the other disk serves");
  await moveMajority(stage, { harm: () => disk.restore(first) });
  return stage.staleReads();
};

/** The only trace of a write on n2 is one batch, which a later one says was synced. */
const damageCutAsTail: Scene = async (isPlanted) => {
  const stage = await Stage.open({
    keyspace: { strategy: "tunable", shards: SHARDS },
    logBugs: { damageCutAsTail: isPlanted },
  });
  stage.node("n2").disk.stateLagMs = NEVER_MS;
  const value = `${LARGE}acknowledged`;
  await moveMajority(stage, {
    value,
    meanwhile: async () => {
      // A later record of the same shard would show that one before it is missing.
      const others = ["a", "b", "c", "d", "e", "f", "g", "h"].filter(
        (key) => shardOf(key) !== shardOf("k"),
      );
      for (const key of others) await stage.until(stage.at("n1").put(key, LARGE, QUORUM));
    },
    harm: ({ disk }) => breakBatch(disk.files, value),
  });
  return stage.staleReads();
};

function shardOf(key: string): number {
  return shardIndexForKey(Buffer.from(key), "tag", SHARDS);
}

const HEADER_MAGIC = Buffer.from("ca957a61", "hex");
const TRAILER_MAGIC = Buffer.from("ca957a62", "hex");
/** Into the header, behind the magic number and the checksum. */
const FIELD_BIT = 8 * 40;

/** One bit of the header and one of the trailer of the batch that holds the text is another one. */
function breakBatch(files: SimulatedDisk, text: string): void {
  for (const path of files.files()) {
    const content = files.content(path);
    const bytes = Buffer.from(content.bytes());
    const at = bytes.indexOf(text);
    if (at < 0) continue;
    content.flip(bytes.lastIndexOf(HEADER_MAGIC, at) * 8 + FIELD_BIT);
    content.flip(bytes.indexOf(TRAILER_MAGIC, at) * 8 + FIELD_BIT);
    return;
  }
  throw new Error("no file holds the text");
}

const TORN_TAILS = 4;
const MAX_ROUNDS = 40;

/** A disk that was not damaged is found damaged, by what a power cut has left of the last batch. */
const tornTailAccepted: Scene = async (isPlanted) => {
  const stage = await Stage.open({
    keyspace: { strategy: "tunable" },
    logBugs: { tornTailAccepted: isPlanted },
  });
  const { disk } = stage.node("n2");
  const broken: string[] = [];
  const torn = (): number => stage.world.said.get("a torn end of the log is cut") ?? 0;
  for (let round = 0; broken.length === 0 && torn() < TORN_TAILS; round += 1) {
    ok(round < MAX_ROUNDS, "a power cut tears the end of the log now and then");
    disk.files.stalled = "sync";
    await stage.until(stage.at("n1").put("k", `${LARGE}${round}`, QUORUM));
    await stage.run(20);
    stage.world.crash("n2", { power: "mix" });
    disk.files.resume();
    await stage.until(stage.world.start("n2")).catch((error) => broken.push(String(error)));
    await stage.run(500);
    const damaged = stage.events.filter(({ event }) => event.type === "shard-damaged");
    broken.push(...damaged.map(({ node }) => `${node}: what was found damaged is whole`));
  }
  return broken;
};

/**
 * Of five nodes three hold the key. A fourth writes it, and stands still when the first replica has
 * answered, which is emptied then, and learns from the others, before one of them hears of the write
 * and answers, too. When the writer goes on it hears of that before its timers send the write anew.
 */
const oldSelfCounts: Scene = async (isPlanted) => {
  const strategy = makeTunableStrategy({ oldSelfCounts: isPlanted });
  const stage = await Stage.open({ nodes: 5, keyspace: { strategy } });
  const { world } = stage;
  const [shard] = stage.describe("n1").shards as readonly { readonly replicas: string[] }[];
  const replicas = shard?.replicas ?? [];
  const [first, second, third] = replicas as [string, string, string];
  const [writer, reader] = world.nodes.map(({ id }) => id).filter((id) => !replicas.includes(id));
  if (writer === undefined || reader === undefined) throw new Error("five nodes, three replicas");
  world.network.clog(writer, second);
  world.network.cut(writer, third);
  const writing = stage.at(writer).put("k", "acknowledged", { ...QUORUM, timeoutMs: 30_000 });
  await stage.run(50);
  world.pause(writer);
  world.crash(first);
  stage.node(first).disk.wipe();
  await stage.until(world.start(first));
  await stage.run(3_000);
  ok(stage.describe(first).serving === 1, "the emptied replica serves again");
  world.network.unclog(writer, second);
  await stage.run(100);
  stage.node(writer).life?.environment.resume("inputs-first");
  await stage.until(writing);
  for (const { id } of world.nodes) if (id !== second) world.network.cut(second, id);
  ok(await stage.readSoon(reader, "k", 8_000), "the emptied replica and the third answer");
  return stage.staleReads();
};

const dynamoEmptyReplicaServes: Scene = async (isPlanted) => {
  const strategy = makeDynamoStrategy({ emptyReplicaServes: isPlanted });
  const partitionPolicy = "prefer-consistency";
  const stage = await Stage.open({ keyspace: { strategy, partitionPolicy } });
  await moveMajority(stage, { harm: ({ disk }) => disk.wipe() });
  return stage.staleReads();
};

/** n2 learns from n1 what is new, and then from n3, which has missed it. */
const dynamoRebuildOverwritesNewer: Scene = async (isPlanted) => {
  const strategy = makeDynamoStrategy({ rebuildOverwritesNewer: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy } });
  const { world } = stage;
  const { version } = await stage.until(stage.at("n1").put("k", "old", { consistency: "all" }));
  stage.isolate("n3");
  await stage.until(stage.at("n1").put("k", "new", { ...QUORUM, context: version }));
  world.crash("n2");
  stage.node("n2").disk.wipe();
  await stage.until(world.start("n2"));
  await stage.run(3_000);
  const broken: string[] = [];
  world.onCommit = (node, state, { mutations }) => {
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      const { shard, key, value } = mutation;
      if (Buffer.from(key).toString() !== "k") continue;
      const held = state.get(shard, "data", key);
      if (held === undefined || contextOfRecord(value).includes(contextOfRecord(held))) continue;
      broken.push(`${node}: the key knows less than before`);
    }
  };
  world.network.join("n2", "n3");
  await stage.run(3_000);
  ok(stage.describe("n2").serving === 1, "the emptied replica serves again");
  return broken;
};

/**
 * Planted bugs that few seeds show, or none, by name, each with a state in which it shows: random
 * faults reach those so rarely that hundreds of seeds may go by.
 */
export const PLANTED_SCENES: Readonly<Record<string, Scene>> = Object.freeze({
  replayForgotten,
  incompleteShardTrusted,
  followedStoreTrusted,
  damageCutAsTail,
  tornTailAccepted,
  oldSelfCounts,
  ...PLANTED_TUNABLE_SCENES,
  "dynamo/emptyReplicaServes": dynamoEmptyReplicaServes,
  "dynamo/rebuildOverwritesNewer": dynamoRebuildOverwritesNewer,
  ...PLANTED_DYNAMO_SCENES,
  ...PLANTED_RAFT_SCENES,
});

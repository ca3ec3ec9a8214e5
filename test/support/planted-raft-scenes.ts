import { ok } from "node:assert/strict";
import type { ShardMembers } from "../../src/core/store/api.ts";
import { makeRaftStrategy } from "../../src/strategies/raft/raft-strategy.ts";
import { DamagedVoter, LONG } from "./damaged-voter.ts";
import type { Scene } from "./planted-scenes.ts";
import { Stage } from "./planted-stage.ts";

const SHARD = Object.freeze({ keyspace: "things", shard: 0 });
/** Nobody takes one that is down for there any more, and a change that may be made is made. */
const SETTLED_MS = 5_000;
const GIVEN_UP_MS = 1_000;
const PATIENT_MS = 10_000;

/**
 * A change to two of three waits for one of the two, which is down, is given up, and is taken back by
 * asking for the three; then that one is there again.
 */
const goalLeftStanding: Scene = async (isPlanted) => {
  const strategy = makeRaftStrategy({ goalLeftStanding: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy } });
  const replicas = stage.world.nodes.map(({ id }) => id);
  const { leader = "" } = await membersAt(stage, "n1");
  const [down = "", other = ""] = replicas.filter((id) => id !== leader);
  stage.world.crash(down);
  await stage.run(SETTLED_MS);
  const change = (goal: readonly string[], timeoutMs = PATIENT_MS) =>
    stage.until(adminAt(stage, leader).changeReplicas({ ...SHARD, replicas: goal }, { timeoutMs }));
  const isGivenUp = await change([leader, down], GIVEN_UP_MS).then(
    () => false,
    () => true,
  );
  ok(isGivenUp, "of those who are to hold the shard there is no majority");
  await change(replicas);
  await stage.restart(down);
  await stage.run(SETTLED_MS);
  const told = (await membersAt(stage, other)).replicas;
  if (told.length === replicas.length) return [];
  return [`the shard was to stay with ${replicas.join("+")}, and is at ${told.join("+")}`];
};

/**
 * n2 held the shard alone, and handed it to n1 and n3, which it does not hear any more. Then it loses
 * of its log that it did.
 */
const othersNotAsked: Scene = async (isPlanted) => {
  const voter = await DamagedVoter.open(makeRaftStrategy({ othersNotAsked: isPlanted }));
  const { cluster } = voter;
  await voter.move(["n1", "n3"]);
  await cluster.until(cluster.keyspace("n1").put("a", 2, LONG));
  cluster.isolate("n2");
  await voter.damage();
  const found = await cluster
    .until(cluster.keyspace("n2").get("a", { consistency: "strong", timeoutMs: SETTLED_MS }))
    .catch(() => undefined);
  cluster.network.heal();
  await cluster.close();
  if (found === undefined || !found.found || found.conflict) return [];
  return [`n2 holds the shard no more, and answers ${String(found.value)} as the newest value`];
};

function adminAt(stage: Stage, id: string) {
  const { store } = stage.node(id).life ?? {};
  if (store === undefined) throw new Error(`node ${id} is not running`);
  return store.admin;
}

function membersAt(stage: Stage, id: string): Promise<ShardMembers> {
  return stage.until(adminAt(stage, id).members(SHARD));
}

export const PLANTED_RAFT_SCENES: Readonly<Record<string, Scene>> = Object.freeze({
  "raft/goalLeftStanding": goalLeftStanding,
  "raft/othersNotAsked": othersNotAsked,
});

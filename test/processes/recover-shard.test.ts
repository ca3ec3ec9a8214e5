import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { capstan, ensureBuilt, eventually } from "../support/processes.ts";
import { KEYSPACE, keyInShard, RaftProcesses } from "../support/raft-processes.ts";

// Two of three processes are killed and their data removed: what the third has is all there is.

const SHARD = 0;
const PATIENT = { timeoutMs: 20_000 } as const;

beforeAll(() => ensureBuilt());

describe("a raft shard of which two of three stores are gone", () => {
  let cluster: RaftProcesses;
  let key: string;

  beforeAll(async () => {
    cluster = await RaftProcesses.open({ type: "tcp" });
    key = keyInShard("account", SHARD);
  }, 120_000);

  afterAll(() => cluster?.end());

  const recover = (...words: string[]) =>
    capstan(["members", "recover", "--url", cluster.url("n3"), ...words], {
      directory: cluster.folder,
    });

  test("goes on with what is left when that is said, and takes the others in again", async () => {
    const accounts = connect({ url: cluster.url("n3") }).keyspace(KEYSPACE);
    await accounts.put(key, { amount: 7 }, PATIENT);

    const present = await recover("--keyspace", KEYSPACE, "--accept-loss");
    expect(present.exitCode).not.toBe(0);
    expect(present.stderr).toContain("QUORUM_PRESENT");

    // A read at n3 that is not stale: it has all that was written.
    await accounts.get(key, { consistency: "strong", ...PATIENT });
    for (const id of ["n1", "n2"]) {
      await cluster.kill(id);
      rmSync(cluster.dataOf(id), { recursive: true });
    }
    await eventually("the status tells it, also by its exit code", async () => {
      const { exitCode, stdout } = await capstan(["status", "--url", cluster.url("n3")], {
        directory: cluster.folder,
      });
      return exitCode === 6 && /accounts: all 3 shards do not serve .*without n1 .*n2/.test(stdout);
    });
    const unsaid = await recover("--keyspace", KEYSPACE);
    expect(unsaid.exitCode).not.toBe(0);
    expect(unsaid.stderr).toContain("--accept-loss");

    const dry = await recover("--all", "--dry-run");
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toMatch(/^accounts, shards 0-2: n3 would go on alone .*: n1 .*, n2 .*\n/);
    expect(dry.stdout.match(/shard [0-2]: logs end: n3's at term \d+, index \d+\n/g)).toHaveLength(
      3,
    );
    const given: string[] = [];
    await eventually("every shard is recovered", async () => {
      const done = await recover("--all", "--accept-loss");
      given.push(done.stdout);
      return done.exitCode === 0;
    });
    for (const shard of [0, 1, 2]) {
      expect(given.join("")).toContain(`shard ${shard} of accounts: n3; n3 leads`);
    }
    const again = await recover("--all", "--accept-loss");
    expect(again).toMatchObject({ exitCode: 0, stdout: "" });
    const read = await accounts.get(key, { consistency: "strong", ...PATIENT });
    expect(read).toMatchObject({ found: true, value: { amount: 7 } });
    await accounts.put(key, { amount: 8 }, PATIENT);

    // They serve once they have been taken in again: into every shard.
    const restarted = Promise.all(["n1", "n2"].map((id) => cluster.restart(id)));
    const { admin } = connect({ url: cluster.url("n3") });
    const replicas = ["n1", "n2", "n3"];
    for (const shard of [0, 1, 2]) {
      await eventually(`all three hold shard ${shard} again`, async () => {
        const change = { keyspace: KEYSPACE, shard, replicas };
        const changed = await admin.changeReplicas(change, PATIENT).catch(() => undefined);
        return changed?.replicas.length === replicas.length;
      });
    }
    await restarted;
    await cluster.kill("n3");
    const left = connect({ url: cluster.url("n1") }).keyspace(KEYSPACE);
    await eventually("the two that were lost serve without the third", async () => {
      const found = await left
        .get(key, { consistency: "strong", ...PATIENT })
        .catch(() => undefined);
      return (
        found?.found === true && !found.conflict && Object.values(found.value as object)[0] === 8
      );
    });
  }, 240_000);
});

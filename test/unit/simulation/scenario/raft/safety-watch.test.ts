import { expect, test } from "vitest";
import type { LogReadResult } from "../../../../../src/core/contracts/storage.ts";
import { CapstanError } from "../../../../../src/core/model/errors.ts";
import { SafetyWatch } from "../../../../../src/simulation/scenario/raft/safety-watch.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";

interface NodeOfWorld {
  readonly id: string;
  readonly hasFailed: boolean;
}

/** A watch over nodes each of whose logs holds one entry that nobody was seen to append. */
function watchOver(nodes: readonly NodeOfWorld[]): SafetyWatch {
  const running = nodes.map(({ id, hasFailed }) => ({
    id,
    life: { hasFailed },
    disk: { storage: { log: { read: hasFailed ? refuse : readOne } } },
  }));
  const scene = {
    plan: { name: "things" },
    keyspace: { keyspace: { hash: 1, shards: 1, replicas: 3 } },
    world: { running: () => running, driver: { until: (reading: Promise<unknown>) => reading } },
  } as unknown as KeyspaceScene;
  return new SafetyWatch(scene);
}

function readOne(
  _shard: unknown,
  from: number,
  _maxBytes: number,
  done: (result: LogReadResult) => void,
): void {
  const record = { sequence: from, payload: new Uint8Array(64) };
  done({ type: "records", records: [record] } as unknown as LogReadResult);
}

function refuse(): never {
  throw new CapstanError("STORE_CLOSED", "the log is closed");
}

test("the log of a node which has failed, and closes it, is not read; those of the others are", async () => {
  const watch = watchOver([
    { id: "n1", hasFailed: true },
    { id: "n2", hasFailed: false },
  ]);
  await watch.readLogs();
  expect(watch.violations.map(({ message }) => message)).toEqual([
    expect.stringMatching(/n2 has an entry 1 of term 0 that nobody appended/),
  ]);
});

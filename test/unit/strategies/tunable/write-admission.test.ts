import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { encodeOperationId } from "../../../../src/core/model/operation-id.ts";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import { versionTokenOf } from "../../../../src/core/model/version-token.ts";
import { Demands } from "../../../../src/strategies/leaderless/demand.ts";
import { ReplicaAnswers } from "../../../../src/strategies/leaderless/replica-answers.ts";
import { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import type { PlantedBugs } from "../../../../src/strategies/tunable/planted-bugs.ts";
import type { TunableSettings } from "../../../../src/strategies/tunable/settings.ts";
import { WriteAdmission } from "../../../../src/strategies/tunable/write-admission.ts";
import {
  contextOf,
  KEYSPACE_HASH,
  MAX_SKEW_MS,
  PLACEMENT,
  requestOf,
  stampAt,
  WALL_MS,
  type WriteContext,
} from "./write-world.ts";

const OLD = stampAt(hybridTimeOf(WALL_MS - 100));
const NEW = stampAt(hybridTimeOf(WALL_MS - 50));

class Door {
  readonly context: WriteContext;
  readonly admission: WriteAdmission;

  constructor(
    partitionPolicy: TunableSettings["partitionPolicy"] = "prefer-consistency",
    own: "serving" | "rebuilding" = "serving",
    planted: PlantedBugs = {},
  ) {
    this.context = contextOf(own);
    this.admission = new WriteAdmission({
      ...{ context: this.context, demands: new Demands(this.context), planted },
      settings: { partitionPolicy } as TunableSettings,
    });
  }

  without(...nodes: readonly string[]): this {
    for (const node of nodes) this.context.reachable.delete(node as NodeId);
    return this;
  }

  open(operation: Partial<Operation> = {}): PendingWrite | CapstanError {
    const answers = new ReplicaAnswers(PLACEMENT);
    const reachable = answers.reachable(this.context.isReachable);
    return this.admission.open(requestOf(operation), answers, reachable, WALL_MS);
  }

  refused(operation: Partial<Operation> = {}): CapstanError {
    const opened = this.open(operation);
    if (!(opened instanceof CapstanError)) throw new Error("the write was admitted");
    return opened;
  }

  admitted(operation: Partial<Operation> = {}): PendingWrite {
    const opened = this.open(operation);
    if (!(opened instanceof PendingWrite)) throw opened;
    return opened;
  }
}

function retryOf(stamp = OLD): Partial<Operation> {
  const key = Buffer.from("key");
  return { operationId: encodeOperationId({ keyspaceHash: KEYSPACE_HASH, stamp, key }) };
}

test("a level that the replicas can never meet is refused, with those that they can", () => {
  const fault = new Door().refused({ level: 4 as unknown as Operation["level"] });
  expect(fault.code).toBe("INVALID_LEVEL");
});

describe("a quorum write", () => {
  test("needs two replicas that can be reached", () => {
    expect(new Door().without("n3").admitted().demand.count).toBe(2);
    const { code, outcome } = new Door().without("n2", "n3").refused();
    expect([code, outcome]).toEqual(["UNAVAILABLE", "not-applied"]);
  });

  test("does not count on its own replica while that is being rebuilt", () => {
    const rebuilding = new Door("prefer-consistency", "rebuilding");
    expect(rebuilding.admitted().demand.count).toBe(2);
    expect(rebuilding.without("n3").refused().code).toBe("UNAVAILABLE");
  });

  test("makes do with one where that is preferred to a fault, and not with none", () => {
    const lowering = new Door("prefer-availability");
    expect(lowering.without("n2", "n3").admitted()).toBeInstanceOf(PendingWrite);
    expect(lowering.refused({ level: "strong" }).code).toBe("UNAVAILABLE");
    expect(lowering.without("n1").refused().code).toBe("UNAVAILABLE");
  });
});

test("what the client says that cannot be is refused", () => {
  const fault = new Door().refused({ options: { context: "no version" } });
  expect([fault.code, fault.outcome]).toEqual(["INVALID_ARGUMENT", "not-applied"]);
});

describe("a retry under its own stamp", () => {
  test("keeps it, and knows what its writer has seen", () => {
    const pending = new Door().admitted(retryOf());
    expect(pending.fixedStamp).toEqual(OLD);
    const bug: PlantedBugs = { operationIdForgotten: true };
    const forgotten = new Door("prefer-consistency", "serving", bug).admitted(retryOf());
    expect(forgotten.fixedStamp).toBeUndefined();
  });

  test("that is older than what its writer has seen is overtaken, and may have been stored before", () => {
    const retry = retryOf();
    const fault = new Door().refused({ ...retry, options: { context: versionTokenOf(NEW) } });
    expect([fault.code, fault.outcome]).toEqual(["SUPERSEDED", "unknown"]);
    expect(fault.operationId).toBe(retry.operationId);
  });

  test("is not held against a version that lies beyond the clock's guard: that may be made up", () => {
    const far = stampAt(hybridTimeOf(WALL_MS + 10 * MAX_SKEW_MS));
    const pending = new Door().admitted({
      ...retryOf(),
      options: { context: versionTokenOf(far) },
    });
    expect(pending.newest).toEqual(far);
  });
});

test("those who hold the shard now are asked for as many as at the beginning", () => {
  const bug: PlantedBugs = { oneAcknowledgementLess: true };
  for (const planted of [{}, bug]) {
    const door = new Door("prefer-consistency", "serving", planted);
    const { operation } = requestOf();
    expect(door.admission.demandOf(operation)).toEqual(door.admitted().demand);
  }
});

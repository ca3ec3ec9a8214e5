import type { Request } from "../../../core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../core/model/ids.ts";
import { PlaceChange } from "./place-change.ts";
import type { PlaceQuery } from "./place-query.ts";
import { PlaceRecovery } from "./place-recovery.ts";
import { isSameSet, stageOf } from "./shard-map.ts";

export type PlaceTask = PlaceChange | PlaceQuery | PlaceRecovery;

/** A request's memo while a shard's replicas are asked for, or changed. */
export class PendingPlace {
  /** Undefined: a change that this node has taken on, and that nobody waits for. */
  readonly request: Request | undefined;
  readonly shardIndex: number;
  readonly requestId: number;
  readonly task: PlaceTask;
  /** Everybody who has been part of it: all of them hear of its end. */
  readonly heard = new Set<NodeId>();
  /** What was said last, so that what is new is said at once. */
  said = "";
  sentAtMs = Number.NEGATIVE_INFINITY;
  tryEndsAtMs = 0;
  /** Tries whose time was over before they came to a decision. */
  triesInVain = 0;
  /** One that was taken on. */
  endsAtMs = Number.POSITIVE_INFINITY;
  readonly #firstEpoch: Epoch;

  constructor(asked: Request | number, requestId: number, task: PlaceTask) {
    this.request = typeof asked === "number" ? undefined : asked;
    this.shardIndex = typeof asked === "number" ? asked : asked.operation.shardIndex;
    this.requestId = requestId;
    this.task = task;
    this.#firstEpoch = task.map.epoch;
  }

  /** The change that was under way has ended elsewhere than where this one was to bring it. */
  get isOver(): boolean {
    const { map, outcome } = this.task;
    if (outcome !== undefined) return true;
    return stageOf(map) === "settled" && map.epoch > this.#firstEpoch && !this.#isThere;
  }

  get #isThere(): boolean {
    const { task } = this;
    return task instanceof PlaceChange && isSameSet(task.map.replicas, task.goal);
  }

  get mayHaveActed(): boolean {
    const { task } = this;
    return task instanceof PlaceRecovery
      ? task.hasAsked
      : task instanceof PlaceChange && task.hasTried;
  }
}

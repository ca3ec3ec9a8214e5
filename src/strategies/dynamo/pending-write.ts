import type { Request } from "../../core/contracts/machine.ts";
import type { ReplicationFact } from "../../core/model/facts.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { NO_SESSION_MARK, type SessionMark } from "../../core/model/session-token.ts";
import type { HybridTime, Stamp } from "../../core/model/stamp.ts";
import type { Demand } from "../leaderless/demand.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import {
  countOf,
  type NodeLists,
  type ReplicaAnswers,
  type ReplicaMask,
} from "../leaderless/replica-answers.ts";
import type { ContextTokens, SeenContext } from "./context-token.ts";
import { contextOf, newestTimeOf, type RecordVersion } from "./dotted-record.ts";
import type { MintedMessage } from "./messages.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";
import { markOfContext } from "./session-contexts.ts";
import { contextAfter, type StateDelta } from "./states/state-delta.ts";
import { unseenIn } from "./unseen-versions.ts";

/** A request's memo while it is written. */
export class PendingWrite {
  readonly request: Request;
  /** Changes where others come to hold the shard. */
  demand: Demand;
  /** Names the operation, wherever it goes. */
  readonly operation: Stamp;
  readonly minter: NodeId;
  readonly seen: SeenContext | undefined;
  /** The greatest time of anything that its writer has seen: it is stamped after that. */
  readonly follows: HybridTime;
  readonly expiresAtMs: number | undefined;
  /** Names this round on the wire. */
  roundId = 0;
  /** When this round began; no acknowledgement of it is older. */
  roundAtMs = 0;
  /** When it is sent again, to those who have not answered. */
  resendAtMs = 0;
  /** A message to the minter is out that asks for this very operation. */
  asked = false;
  /** What the write is a version of, once it is minted: by the first word of it, which counts. */
  minted: RecordVersion | Uint8Array | undefined = undefined;
  /** The key's record with this write in it, once it is known. */
  keyed: KeyedRecord | undefined = undefined;
  /** What an operation has added to that record; sent first, and once. */
  delta: StateDelta | undefined = undefined;
  /** Not the first round any more: what was sent may be lost. */
  isResent = false;
  /** Who has said that the delta is of no use there, and was not sent the record yet. */
  readonly gaps: NodeId[] = [];
  /** The record was asked for, of a minter that had sent a delta. */
  asksForRecord = false;
  ended = false;
  answers: ReplicaAnswers;
  standIns: ReplicaAnswers;
  /** Replicas that hold it durably, whether they count or not. */
  held: ReplicaMask = 0;
  standInsHeld: ReplicaMask = 0;

  constructor(parts: {
    readonly request: Request;
    readonly demand: Demand;
    readonly operation: Stamp;
    readonly minter: NodeId;
    readonly seen: SeenContext | undefined;
    readonly follows: HybridTime;
    readonly expiresAtMs: number | undefined;
    readonly answers: ReplicaAnswers;
    readonly standIns: ReplicaAnswers;
  }) {
    this.request = parts.request;
    this.demand = parts.demand;
    this.operation = parts.operation;
    this.minter = parts.minter;
    this.seen = parts.seen;
    this.follows = parts.follows;
    this.expiresAtMs = parts.expiresAtMs;
    this.answers = parts.answers;
    this.standIns = parts.standIns;
  }

  takeMinted({ keyed, delta }: MintedMessage): void {
    this.keyed = keyed;
    if (this.minted !== undefined) return;
    this.delta = delta;
    if (delta !== undefined) {
      this.minted = { context: contextAfter(delta), newestTime: delta.dot.time };
    } else this.minted = keyed?.record;
  }

  /** What its caller hands to the next write; only once it is minted. */
  versionBy(tokens: ContextTokens, planted: PlantedDynamoBugs): string {
    const { minted } = this;
    const { key, value } = this.request.operation;
    if (minted === undefined) throw new Error("a version of what is not minted");
    if (!(minted instanceof Uint8Array)) {
      return tokens.tokenOf(key, minted.context, minted.newestTime);
    }
    const isBlind = planted.receiptCoversUnseen === true;
    const unseen = isBlind ? [] : unseenIn(minted, value, this.seen);
    return tokens.tokenOfRecord(key, minted, unseen);
  }

  /** What a session has seen with it. */
  get sessionMark(): SessionMark {
    const { minted } = this;
    const { key } = this.request.operation;
    if (minted === undefined) return NO_SESSION_MARK;
    return minted instanceof Uint8Array
      ? markOfContext(key, contextOf(minted), newestTimeOf(minted))
      : markOfContext(key, minted.context, minted.newestTime);
  }

  /** Replicas that hold it durably, and count. */
  get counted(): number {
    return countOf(this.held & this.answers.counted);
  }

  get copies(): number {
    return countOf(this.held) + countOf(this.standInsHeld);
  }

  get isAnswered(): boolean {
    return this.answers.complete && this.standIns.complete;
  }
}

/** Where the write is by now, as far as its coordinator knows. */
export function replicationOf(
  pending: PendingWrite,
  version: string,
  lists: NodeLists,
): ReplicationFact {
  const { request, answers, held, standIns, standInsHeld } = pending;
  const { key, shardIndex, type } = request.operation;
  const holders = lists.of(answers, held);
  return {
    type: "replication",
    shardIndex,
    writes: 1,
    operation: type === "delete" || type === "update" ? type : "put",
    key,
    version,
    replicatedTo: standInsHeld === 0 ? holders : [...holders, ...standIns.nodesOf(standInsHeld)],
  };
}

import type { Sender } from "../../../../src/core/contracts/machine.ts";
import type {
  Epoch,
  Incarnation,
  LogSequence,
  NodeId,
  ShardId,
  StoreId,
} from "../../../../src/core/model/ids.ts";
import { Consensus } from "../../../../src/strategies/raft/consensus.ts";
import type {
  ConsensusEffects,
  ConsensusOptions,
  Moment,
  RaftLimits,
} from "../../../../src/strategies/raft/consensus-types.ts";
import {
  payloadOfEntry,
  sealEntry,
  termOfEntry,
  unsealedEntry,
} from "../../../../src/strategies/raft/entry.ts";
import { decodeHardState, HARD_STATE } from "../../../../src/strategies/raft/hard-state.ts";
import type { AppendRequest, PeerMessage } from "../../../../src/strategies/raft/peer-messages.ts";
import type { PlantedConsensusBugs } from "../../../../src/strategies/raft/planted-bugs.ts";

export interface Sent {
  readonly to: string;
  readonly message: PeerMessage;
  /** It waits for what was kept and appended. */
  readonly waits: boolean;
}

/** A command's record, as the leader of `term` has sealed it. */
export function entry(text: string, term: number): Uint8Array {
  const record = unsealedEntry(Buffer.from(text));
  sealEntry(record, "command", term);
  return record;
}

/** What its node would draw, and who should rather lead. */
export interface Chance {
  /** Every draw, of 2^32. Default 0. */
  readonly random?: number;
  readonly firstQuestion?: number;
  /** By node. Default: all are equal. */
  readonly priorities?: Readonly<Record<string, number>>;
  readonly limits?: Partial<RaftLimits>;
  readonly planted?: PlantedConsensusBugs;
}

/** A question for what the log has, which the test answers. */
export interface LogRead {
  readonly token: number;
  readonly from: number;
}

/** One consensus, n1 of n1, n2 and n3 (or of more), and a test in the place of all others. */
export class LoneConsensus {
  readonly consensus: Consensus;
  /** Term and text of every entry of its log, from index 1 on. */
  readonly log: string[] = [];
  /** The same, as they lie in its log. */
  readonly records: Uint8Array[] = [];
  readonly applied: string[] = [];
  readonly kept: Map<string, Uint8Array>;
  readonly emitted: string[] = [];
  sent: Sent[] = [];
  /** Asked for and not answered yet. */
  readonly reads: LogRead[] = [];
  nowMs = 0;
  readonly unreachable = new Set<string>();
  /** How its node fares. */
  isDiskSick = false;
  loopLagMs = 0;

  /** @param earlier whose disk it goes on with; there must have been nothing in that one's log. */
  constructor(nodes = 3, earlier?: LoneConsensus, chance: Chance = {}) {
    this.kept = new Map(earlier?.kept);
    const replicas = Array.from({ length: nodes }, (_, i) => `n${i + 1}` as NodeId);
    this.consensus = new Consensus(this.#options(replicas, chance), chance.planted);
    this.do((at, effects) => {
      const opening = {
        ...{ origin: earlier === undefined ? ("newborn" as const) : ("kept" as const) },
        ...{ lastSequence: 0 as LogSequence, applied: undefined },
        ...{ appliedSequence: 0 as LogSequence, durableSequence: 0 as LogSequence },
      };
      this.consensus.open(opening, at, effects);
    });
  }

  get hard() {
    return decodeHardState(this.kept.get(HARD_STATE) as Uint8Array);
  }

  do(work: (at: Moment, effects: ConsensusEffects) => void): readonly Sent[] {
    this.sent = [];
    const at = { nowMs: this.nowMs, wallMs: this.nowMs };
    const effects = this.#effects();
    work(at, effects);
    const apply = (index: number, term: number, kind: string, record: Uint8Array): void => {
      const text = kind === "command" ? Buffer.from(payloadOfEntry(record)).toString() : kind;
      this.applied.push(`${index}/${term} ${text}`);
    };
    while (this.consensus.takeCommitted(1_000, apply, effects));
    this.consensus.flush(at, effects);
    return this.sent;
  }

  /** From another node; what is sent in answer. */
  hear(from: string, message: PeerMessage): readonly Sent[] {
    const sender: Sender = {
      ...{ node: from as NodeId, storeId: from as StoreId, incarnation: 1 as Incarnation },
    };
    return this.do((at, effects) => this.consensus.message(sender, message, at, effects));
  }

  append(from: string, message: Partial<AppendRequest> & { readonly term: number }) {
    return this.hear(from, {
      ...{ type: "append", round: 1, prevIndex: 0, prevTerm: 0, commitIndex: 0, records: [] },
      ...message,
    });
  }

  wait(ms: number): readonly Sent[] {
    this.nowMs += ms;
    return this.do((at, effects) => {
      this.consensus.timer("raft-timer", at, effects);
    });
  }

  /** Everything that its log has is on its disk. */
  sync(): readonly Sent[] {
    const sequence = this.log.length as LogSequence;
    return this.do((at, effects) => this.consensus.durable(sequence, at, effects));
  }

  /** Answers the oldest read with the log as it is, or as it was at that time. */
  answerRead(records: readonly Uint8Array[] = this.records): readonly Sent[] {
    const { token, from } = this.reads.shift() as LogRead;
    const found = records.slice(from - 1).map((payload, i) => {
      return { shard: 0 as ShardId, sequence: (from + i) as LogSequence, payload };
    });
    return this.do((at, effects) => this.consensus.logRecords(token, found, at, effects));
  }

  propose(text: string): readonly Sent[] {
    return this.do((at, effects) => {
      this.consensus.propose(unsealedEntry(Buffer.from(text)), at, effects);
    });
  }

  /** Becomes the leader of the next term with the votes of `n2`, and of itself. */
  lead(): readonly Sent[] {
    this.wait(200);
    const term = this.consensus.standing.term + 1;
    const said = {
      type: "vote-reply",
      term,
      granted: true,
      recovering: false,
      original: true,
    } as const;
    this.hear("n2", { ...said, pre: true });
    this.hear("n1", { ...said, pre: false });
    return this.hear("n2", { ...said, pre: false });
  }

  #effects(): ConsensusEffects {
    const send =
      (waits: boolean) =>
      (to: NodeId, _role: string, _shard: number, message: PeerMessage): void => {
        this.sent.push({ to, message, waits });
      };
    return {
      append: (record) => {
        const text = Buffer.from(payloadOfEntry(record)).toString();
        this.log.push(`${termOfEntry(record)} ${text}`.trimEnd());
        this.records.push(record);
        return this.log.length as LogSequence;
      },
      truncateSuffix: (sequence) => {
        this.log.length = sequence;
        this.records.length = sequence;
      },
      resetLog: (first) => {
        this.log.length = first - 1;
        this.records.length = first - 1;
      },
      releaseLog: () => {},
      readLog: (token, from) => {
        this.reads.push({ token, from });
      },
      keep: (name, value) => {
        if (value === undefined) this.kept.delete(name);
        else this.kept.set(name, value);
      },
      kept: (name) => this.kept.get(name),
      send: send(true),
      sendBeforeDurable: send(false),
      setTimer: () => {},
      cancelTimer: () => {},
      emit: ({ type }) => {
        this.emitted.push(type);
      },
    };
  }

  #options(replicas: readonly NodeId[], chance: Chance): ConsensusOptions {
    return {
      self: { node: "n1" as NodeId, storeId: "n1" as StoreId, incarnation: 1 as Incarnation },
      shardIndex: 0,
      nodes: replicas,
      placement: () => ({ epoch: 1 as Epoch, replicas, standIns: [] }),
      priorityOf: (node) => chance.priorities?.[node] ?? 0,
      timing: {
        ...{ electionTimeoutMs: 100, electionLowerMs: 50, heartbeatMs: 10 },
        ...{ leaseMs: 44, maxClockJumpMs: 20, restAfterMs: 60 },
      },
      limits: {
        ...{
          uncommittedBytes: 100,
          inheritedBytes: 100,
          inflightBytes: 1_000,
          inflightMessages: 4,
        },
        ...{ messageBytes: 1_000, earlyBytes: 60, memoryBytes: 10_000, retainedBytes: 10_000 },
        ...{ snapshotChunkBytes: 1_000, snapshotBytesPerSecond: 100_000 },
        ...chance.limits,
      },
      randomUint32: () => chance.random ?? 0,
      firstQuestion: chance.firstQuestion ?? 0,
      isReachable: (node) => !this.unreachable.has(node),
      health: { isDiskSick: () => this.isDiskSick, loopLagMs: () => this.loopLagMs },
      outputs: { standingChanged: () => {}, readConfirmed: () => {}, readFailed: () => {} },
      state: {
        openPicture: () => undefined,
        beginInstall: () => {},
        installChunk: () => {},
        finishInstall: () => {},
        abortInstall: () => {
          this.emitted.push("install-aborted");
        },
      },
    };
  }
}

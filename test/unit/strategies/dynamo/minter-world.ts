import type { Effects, ReplicaContext, Sender } from "../../../../src/core/contracts/machine.ts";
import type { Resolver } from "../../../../src/core/contracts/resolver.ts";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import { HYBRID_EPOCH_MS } from "../../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import type { DynamoMessage, MintMessage } from "../../../../src/strategies/dynamo/messages.ts";
import { Minter } from "../../../../src/strategies/dynamo/minter.ts";
import type { PlantedDynamoBugs } from "../../../../src/strategies/dynamo/planted-bugs.ts";
import { settlementOf } from "../../../../src/strategies/dynamo/settlement.ts";
import { States } from "../../../../src/strategies/dynamo/states/states.ts";
import type { KeyedRecord } from "../../../../src/strategies/leaderless/record.ts";

export const WALL_MS = HYBRID_EPOCH_MS + 1_000_000;
export const KEY = Buffer.from("key");
const COORDINATOR = { node: "n2" } as unknown as Sender;

interface Sent {
  readonly message: DynamoMessage;
  readonly isDurable: boolean;
}

/** A minter over one copy of a shard that keeps what it is given. */
export class MinterWorld {
  readonly sent: Sent[] = [];
  readonly data = new Map<string, Uint8Array>();
  readonly copies = {
    ...{ fence: 0, floor: 0, hasRoom: true, holdsForGood: true },
    store: (keyed: KeyedRecord): KeyedRecord => {
      this.data.set(Buffer.from(keyed.key).toString(), keyed.record);
      return keyed;
    },
  };
  readonly minter: Minter;
  readonly #effects = {
    get: (key: Uint8Array) => this.data.get(Buffer.from(key).toString()),
    send: (_to: string, _role: string, _shard: number, message: DynamoMessage) =>
      this.sent.push({ message, isDurable: true }),
    sendBeforeDurable: (_to: string, _role: string, _shard: number, message: DynamoMessage) =>
      this.sent.push({ message, isDurable: false }),
  } as unknown as Effects<DynamoMessage>;

  constructor(
    resolver?: Resolver,
    planted: PlantedDynamoBugs = {},
    maxRecordBytes = Number.POSITIVE_INFINITY,
  ) {
    const settlement = settlementOf(resolver);
    let drawn = 0;
    const context = {
      ...{ self: { node: "n1" }, shardIndex: 0, maxRecordBytes },
      clock: new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 }),
      randomUint32: () => ++drawn,
    } as unknown as ReplicaContext;
    const states =
      settlement.kind === "states" ? new States(settlement.resolver, planted) : undefined;
    const { copies } = this;
    this.minter = new Minter({
      ...{ context, planted, settlement, states, copies },
      reapAfterMs: Number.POSITIVE_INFINITY,
    });
    this.minter.open(WALL_MS);
  }

  /** What is sent in answer to a write of an operation of that number. */
  mint(
    operation: number,
    event: Partial<MintMessage["event"]> = {},
    rest: Partial<MintMessage> = {},
  ): readonly Sent[] {
    const message: MintMessage = {
      ...{ type: "mint", requestId: operation, again: false, newestTime: 0, key: KEY },
      operation: { time: operation, actorHigh: 5, actorLow: 5 },
      event: { type: "put", value: encodeValue("v"), seen: undefined, ...event },
      ...rest,
    };
    this.sent.length = 0;
    this.minter.onMint(COORDINATOR, message, WALL_MS, this.#effects);
    return [...this.sent];
  }

  recall(operation: number): string | undefined {
    this.sent.length = 0;
    const stamp = { time: operation, actorHigh: 5, actorLow: 5 };
    const message = { type: "recall", requestId: 1, operation: stamp } as const;
    this.minter.onRecall(COORDINATOR, message, this.#effects);
    return verdictOf(this.sent);
  }
}

/** Of the first answer. */
export function verdictOf([first]: readonly Sent[]): string | undefined {
  return first?.message.type === "minted" ? first.message.verdict : first?.message.type;
}

export function recordOf([first]: readonly Sent[]): Uint8Array {
  if (first?.message.type !== "minted" || first.message.keyed === undefined) {
    throw new Error(`no record in ${JSON.stringify(first?.message)}`);
  }
  return first.message.keyed.record;
}

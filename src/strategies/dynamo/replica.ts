import type {
  Effects,
  MachineEvent,
  ReplicaContext,
  ReplicaMachine,
} from "../../core/contracts/machine.ts";
import type { ConflictFact } from "../../core/model/facts.ts";
import type { LeaderlessMessage } from "../leaderless/messages.ts";
import type { PlaceMessage } from "../leaderless/place/place-messages.ts";
import { FIRST_EPOCH } from "../leaderless/place/shard-map.ts";
import type { RecordRules } from "../leaderless/record-rules.ts";
import { DEFAULT_REPAIR } from "../leaderless/repair-settings.ts";
import { LeaderlessReplica } from "../leaderless/replica.ts";
import { conflictOf } from "./conflict-facts.ts";
import { ContextTokens } from "./context-token.ts";
import { DeltaIntake } from "./delta-intake.ts";
import { makeDottedRules } from "./dotted-rules.ts";
import type { CopyMessages, DynamoMessage } from "./messages.ts";
import { Minter } from "./minter.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { withPlantedJoin } from "./planted-join.ts";
import { RecordReader } from "./read-result.ts";
import type { ResolverFailures } from "./resolver-failures.ts";
import type { DynamoSettings } from "./settings.ts";
import { type Settlement, settlementOf } from "./settlement.ts";
import { States } from "./states/states.ts";

type Fx = Effects<DynamoMessage>;

type Arrival = Extract<MachineEvent<DynamoMessage>, { readonly type: "message" }>;

/**
 * One copy of a shard: of a replica, or of a node that stands in for one. All that the two
 * leaderless strategies share is `LeaderlessReplica`'s; this adds that a copy names new events
 * (`Minter`), that it takes what was added to a CRDT for itself (`DeltaIntake`), and that versions
 * which meet here and lose are told of, as facts.
 */
export class DynamoReplica implements ReplicaMachine<DynamoMessage> {
  readonly wantsDurable = false;
  readonly #context: ReplicaContext;
  readonly #settlement: Settlement;
  readonly #copies: LeaderlessReplica;
  readonly #minter: Minter;
  /** Undefined: the keyspace has no CRDT, and no delta comes. */
  readonly #deltas: DeltaIntake | undefined;
  /** What the resolver threw where watches were to be told. */
  readonly #failures: ResolverFailures;
  /** Of the step that runs. */
  readonly #meetings: ConflictFact[] = [];
  /** Versions of acknowledged writes, perhaps, that lost against a concurrent one here. */
  #discarded = 0;

  constructor(context: ReplicaContext, planted: PlantedDynamoBugs = NO_PLANTED_DYNAMO_BUGS) {
    const { resolver, repair } = context.settings as unknown as DynamoSettings;
    this.#context = context;
    const settlement = withPlantedJoin(settlementOf(resolver), planted);
    this.#settlement = settlement;
    const { keyspace, keyspaceHash, clusterKey } = context;
    const tokens = new ContextTokens(keyspace, keyspaceHash, clusterKey);
    const reader = new RecordReader(settlement, tokens);
    this.#failures = reader.failures;
    const rules = this.#rulesWith(reader, planted);
    this.#copies = new LeaderlessReplica(context, planted, rules, () => this.#minter.onCopyLeft());
    const copies = this.#copies;
    const states =
      settlement.kind === "states" ? new States(settlement.resolver, planted) : undefined;
    const { reapAfterMs } = repair ?? DEFAULT_REPAIR;
    this.#minter = new Minter({ context, planted, settlement, states, copies, reapAfterMs });
    this.#deltas = states && new DeltaIntake(context, states, copies);
  }

  get serving(): boolean {
    return this.#copies.serving;
  }

  get saysRebuilding(): boolean {
    return this.#copies.saysRebuilding;
  }

  step(event: MachineEvent<DynamoMessage>, effects: Fx): void {
    // A step that threw has left nothing behind.
    this.#meetings.length = 0;
    this.#handle(event, effects);
    this.#failures.tell(event.nowMs, effects);
    for (const meeting of this.#meetings) {
      this.#discarded += meeting.discarded;
      effects.recordFact(meeting);
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      ...this.#copies.describe(),
      minted: this.#minter.minted,
      discardedByMerge: this.#discarded,
      ...this.#deltas?.describe(),
    };
  }

  #handle(event: MachineEvent<DynamoMessage>, effects: Fx): void {
    if (event.type === "message") {
      const { message } = event;
      const isOwn =
        message.type === "at-epoch"
          ? this.#onOwn(event, message.message, message.epoch, effects)
          : this.#onOwn(event, message, FIRST_EPOCH, effects);
      if (isOwn) return;
    } else if (event.type === "opened") this.#minter.open(event.wallMs);
    // What is left is of all copies: the very event, of which no other is made for each write.
    this.#copies.step(event as MachineEvent<LeaderlessMessage>, effects);
  }

  /** `epoch`: of the map by which it was sent. False: it is none of this strategy's own messages. */
  #onOwn(
    event: Arrival,
    message: CopyMessages | PlaceMessage,
    epoch: number,
    effects: Fx,
  ): boolean {
    const { from, wallMs } = event;
    switch (message.type) {
      case "mint":
        if (this.#copies.admits(from, epoch, effects)) {
          this.#minter.onMint(from, message, wallMs, effects);
        }
        return true;
      case "delta":
        if (this.#copies.admits(from, epoch, effects)) this.#deltas?.take(event, message, effects);
        return true;
      case "recall":
        // Asks this node, whoever holds the shard by now.
        this.#minter.onRecall(from, message, effects);
        return true;
      case "minted":
      case "gap":
        // To a coordinator.
        return true;
      default:
        return false;
    }
  }

  #rulesWith(reader: RecordReader, planted: PlantedDynamoBugs): RecordRules {
    const { shardIndex } = this.#context;
    return makeDottedRules(this.#settlement, {
      planted,
      changeOf: (key, record) => reader.changeOf(key, record),
      onMeeting: (key, versions, kept) => {
        this.#meetings.push(conflictOf(this.#settlement, { shardIndex, key, versions, kept }));
      },
    });
  }
}

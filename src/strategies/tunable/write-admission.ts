import type { CoordinatorContext, Request } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { Operation } from "../../core/model/operations.ts";
import { ableReplicas } from "../leaderless/able-replicas.ts";
import { type Demand, type Demands, isMetBy, mayLower, oneLess } from "../leaderless/demand.ts";
import { levelTooHigh, tooFewReachable } from "../leaderless/faults.ts";
import type { ReplicaAnswers, ReplicaMask } from "../leaderless/replica-answers.ts";
import { superseded } from "./faults.ts";
import { type GivenInWrite, givenIn } from "./given-stamps.ts";
import { isBehindSeen, operationIdOf, PendingWrite } from "./pending-write.ts";
import type { PlantedBugs } from "./planted-bugs.ts";
import { TUNABLE_LEVELS, type TunableSettings } from "./settings.ts";

/** What is asked of a write before anything is sent: of one that is refused here, nothing ever is. */
export class WriteAdmission {
  readonly #context: CoordinatorContext;
  readonly #settings: TunableSettings;
  readonly #demands: Demands;
  readonly #planted: PlantedBugs;

  constructor(parts: {
    readonly context: CoordinatorContext;
    readonly settings: TunableSettings;
    readonly demands: Demands;
    readonly planted: PlantedBugs;
  }) {
    this.#context = parts.context;
    this.#settings = parts.settings;
    this.#demands = parts.demands;
    this.#planted = parts.planted;
  }

  /** The write, of which nothing is sent yet; or why there is none. */
  open(
    request: Request,
    answers: ReplicaAnswers,
    reachable: ReplicaMask,
    wallMs: number,
  ): PendingWrite | CapstanError {
    const { operation } = request;
    const demand = this.#demands.of(operation.level, operation.shardIndex, "write");
    if (demand === undefined) return this.levelTooHigh(operation);
    const given = givenIn(operation, this.#context, wallMs);
    if (given instanceof CapstanError) return given;
    const able = ableReplicas(this.#context, answers, operation.shardIndex, reachable);
    if (!isMetBy(demand, able) && !(this.mayLower(operation) && able !== 0)) {
      return tooFewReachable(demand, answers.placement.replicas, answers.nodesOf(able));
    }
    const pending = new PendingWrite(request, this.#countedFor(demand), answers, this.#kept(given));
    return this.#overtaken(pending, wallMs) ?? pending;
  }

  /** What the level demands of those who hold the shard now; undefined where they never meet it. */
  demandOf({ level, shardIndex }: Operation): Demand | undefined {
    const demand = this.#demands.of(level, shardIndex, "write");
    return demand && this.#countedFor(demand);
  }

  levelTooHigh({ level, shardIndex }: Operation): CapstanError {
    return levelTooHigh(level, shardIndex, this.#demands, TUNABLE_LEVELS, "write");
  }

  /** Whether fewer copies than the level needs are better than a fault. */
  mayLower({ level }: Operation): boolean {
    return mayLower(this.#settings.partitionPolicy, level);
  }

  /**
   * A retry under a stamp that is older than what its writer has seen since. An earlier try may have
   * been stored before that, so that its outcome is unknown.
   */
  #overtaken(pending: PendingWrite, wallMs: number): CapstanError | undefined {
    if (!isBehindSeen(pending)) return undefined;
    const { newest } = pending;
    // What lies beyond the guard may be made up: then it is looked for first.
    if (this.#context.clock.observe(newest, wallMs) !== "observed") return undefined;
    return superseded(newest, "unknown", operationIdOf(pending, this.#context.keyspaceHash));
  }

  #countedFor(demand: Demand): Demand {
    return this.#planted.oneAcknowledgementLess === true ? oneLess(demand) : demand;
  }

  #kept(given: GivenInWrite): GivenInWrite {
    return this.#planted.operationIdForgotten === true
      ? { ...given, fixedStamp: undefined }
      : given;
  }
}

import type { Effects } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { ShardMachine } from "./apply.ts";
import type { ClientMessage, RaftMessage, ReplicaRefusal, Standpoint } from "./client-messages.ts";
import { type Configuration, votingNodes } from "./configuration.ts";

type Fx = Effects<RaftMessage>;

/** What an answer says of its replica, as it is at the moment of answering. */
export interface Answering {
  readonly shardIndex: number;
  readonly machine: Pick<ShardMachine, "books" | "lifeMark">;
  readonly configuration: () => {
    readonly configuration: Configuration;
    readonly configurationIndex: number;
    readonly configurationGroup: number;
  };
  readonly leader: () => NodeId | undefined;
}

/**
 * What a replica says to coordinators.
 *
 * Answers leave before this node's own log is durable. What they tell of is committed: a majority
 * has it durably, perhaps without this node, and nobody may hold this node's copy against them.
 */
export class Replies {
  readonly #of: Answering;

  constructor(of: Answering) {
    this.#of = of;
  }

  /** Where the state is that an answer comes from. */
  standpoint(): Standpoint {
    const { books, lifeMark } = this.#of.machine;
    const { voters } = this.#of.configuration().configuration;
    return { lifeMark, appliedIndex: books.appliedIndex, voters: voters.length };
  }

  refuse(node: NodeId, requestId: number, reason: ReplicaRefusal, effects: Fx): void {
    const { configuration, configurationIndex, configurationGroup } = this.#of.configuration();
    const voters = votingNodes(configuration);
    const leader = this.#of.leader();
    const refusal = { type: "refused", requestId, reason, leader, voters } as const;
    this.say(node, { ...refusal, configurationIndex, configurationGroup }, effects);
  }

  say(node: NodeId, message: ClientMessage, effects: Fx): void {
    effects.sendBeforeDurable(node, "coordinator", this.#of.shardIndex, message);
  }
}

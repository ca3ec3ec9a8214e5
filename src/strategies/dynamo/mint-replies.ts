import type { Effects, Sender } from "../../core/contracts/machine.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import type { DynamoMessage, MintedMessage, MintVerdict } from "./messages.ts";

type Fx = Effects<DynamoMessage>;

/** The coordinator's message that is answered. */
interface Asked {
  readonly requestId: number;
}

/** What a minter says to the coordinators of writes, and which of it waits until it is durable. */
export class MintReplies {
  readonly #shardIndex: number;
  readonly #copies: { readonly holdsForGood: boolean };

  /** `copies`: whether what this node keeps counts. */
  constructor(shardIndex: number, copies: { readonly holdsForGood: boolean }) {
    this.#shardIndex = shardIndex;
    this.#copies = copies;
  }

  /** The record, at once; the acknowledgement, when it is durable. */
  hand(
    from: Sender,
    { requestId }: Asked,
    keyed: KeyedRecord,
    delta: MintedMessage["delta"],
    effects: Fx,
  ): void {
    // Before this copy is durable: the record vouches for nothing, and a node that loses it comes
    // back under another actor, so that the dot never names anything else.
    effects.sendBeforeDurable(from.node, "coordinator", this.#shardIndex, {
      type: "minted",
      requestId,
      verdict: "minted",
      keyed,
      delta,
      reason: "",
    });
    effects.send(from.node, "coordinator", this.#shardIndex, {
      type: "write-ack",
      requestId,
      verdict: "stored",
      serving: this.#copies.holdsForGood,
      stamp: undefined,
    });
  }

  /** Nothing is minted; `reason` is for a person. */
  answer(
    from: Sender,
    { requestId }: Asked,
    verdict: MintVerdict,
    reason: string,
    effects: Fx,
  ): void {
    // What is known has to be durable before anybody is told so; the rest waits with it.
    effects.send(from.node, "coordinator", this.#shardIndex, {
      type: "minted",
      requestId,
      verdict,
      keyed: undefined,
      reason,
    });
  }
}

import type {
  MachineNotice,
  MachineRole,
  Request,
  ScanTask,
  ShardMap,
} from "../contracts/machine.ts";
import type { MachineChange } from "../contracts/machine-change.ts";
import type { Lane } from "../contracts/transport.ts";
import type { CapstanError } from "../model/errors.ts";
import type { Fact } from "../model/facts.ts";
import type { LogSequence, NodeId } from "../model/ids.ts";
import type { OperationResult, ScanPage } from "../model/operations.ts";

/** Words of a step that are kept for the next one; a step that sends more makes its own. */
const KEPT_WORDS = 16;

/** A message to a machine. Every step sends a few, so that `StepEffects` uses them again. */
export class SendWord {
  readonly type = "send";
  node: NodeId;
  role: MachineRole;
  shardIndex: number;
  message: unknown;
  lane: Lane;

  constructor(node: NodeId, role: MachineRole, shardIndex: number, message: unknown, lane: Lane) {
    this.node = node;
    this.role = role;
    this.shardIndex = shardIndex;
    this.message = message;
    this.lane = lane;
  }
}

/** The words as they can be kept beyond their step. */
export function keepWords(words: readonly Word[]): readonly Word[] {
  return words.map((word) =>
    word.type === "send"
      ? new SendWord(word.node, word.role, word.shardIndex, word.message, word.lane)
      : word,
  );
}

/** A word: something that leaves the machine, and may have to wait for durability. */
export type Word =
  | SendWord
  | { readonly type: "reply"; readonly request: Request; readonly result: OperationResult }
  | { readonly type: "reply-scan"; readonly task: ScanTask; readonly page: ScanPage }
  | { readonly type: "change"; readonly change: MachineChange }
  | { readonly type: "caught-up"; readonly token: number; readonly isSo: boolean };

/** Everything else that a step asks for; done when it returns, in this order. */
export type Deed =
  | {
      readonly type: "refuse";
      readonly request: Request | ScanTask;
      readonly fault: CapstanError;
    }
  | { readonly type: "set-timer"; readonly timer: string; readonly delayMs: number }
  | { readonly type: "cancel-timer"; readonly timer: string }
  | {
      readonly type: "deadline";
      readonly request: Request | ScanTask;
      readonly deadlineMs: number;
    }
  | { readonly type: "emit"; readonly notice: MachineNotice }
  | { readonly type: "fact"; readonly fact: Fact }
  | { readonly type: "placed"; readonly map: ShardMap }
  | {
      readonly type: "read-log";
      readonly token: number;
      readonly from: LogSequence;
      readonly maxBytes: number;
    }
  | { readonly type: "release-log"; readonly sequence: LogSequence };

/** The `SendWord`s of one `StepEffects`: handed out during a step, taken back after it. */
export class SendWordPool {
  readonly #words: SendWord[] = [];
  #used = 0;

  send(
    node: NodeId,
    role: MachineRole,
    shardIndex: number,
    message: unknown,
    lane: Lane,
  ): SendWord {
    const used = this.#words[this.#used++];
    if (used === undefined) {
      const made = new SendWord(node, role, shardIndex, message, lane);
      this.#words.push(made);
      return made;
    }
    used.node = node;
    used.role = role;
    used.shardIndex = shardIndex;
    used.message = message;
    used.lane = lane;
    return used;
  }

  takeBack(): void {
    for (let at = 0; at < this.#used; at++) (this.#words[at] as SendWord).message = undefined;
    this.#used = 0;
    if (this.#words.length > KEPT_WORDS) this.#words.length = KEPT_WORDS;
  }
}

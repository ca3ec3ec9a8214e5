import type { NodeId } from "../../../core/model/ids.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import type { KeyedRecord } from "../record.ts";
import type { KeySpan, Summary } from "./fingerprint.ts";
import type { ListedSpan, ReconcileMessage, SummarizedSpan } from "./reconcile-message.ts";

const SPAN_BYTES = 16;
const LISTED_BYTES = 10;
const MAX_LENGTH = 65_535;

/** A message to one peer that is being put together. */
export class ReconcileDraft {
  readonly peer: NodeId;
  readonly upTo: HybridTime;
  #round = 0;
  #settledRound = 0;
  readonly #spans: SummarizedSpan[] = [];
  readonly #lists: ListedSpan[] = [];
  readonly #records: KeyedRecord[] = [];
  readonly #wants: Uint8Array[] = [];
  /** About what it takes on the wire. */
  bytes = 0;

  constructor(peer: NodeId, upTo: HybridTime = 0) {
    this.peer = peer;
    this.upTo = upTo;
  }

  /** Nothing more fits the counts of the format, or belongs into it. */
  get isFull(): boolean {
    if (this.#round > 0) return true;
    return [this.#spans, this.#lists, this.#records, this.#wants].some(
      (parts) => parts.length >= MAX_LENGTH,
    );
  }

  /** The message begins a round with this span alone, so that "equal" says which one is over. */
  beginRound(round: number, span: KeySpan, summary: Summary): void {
    this.addSpan(span, summary);
    this.#round = round;
  }

  addSpan(span: KeySpan, summary: Summary): void {
    this.#spans.push({ span, summary });
    this.bytes += SPAN_BYTES + lengthOf(span);
  }

  addList(list: ListedSpan): void {
    this.#lists.push(list);
    this.bytes += SPAN_BYTES + lengthOf(list.span);
    for (const { key } of list.entries) this.bytes += LISTED_BYTES + key.length;
  }

  addRecord(record: KeyedRecord): void {
    this.#records.push(record);
    this.bytes += record.payload.length;
  }

  addWant(key: Uint8Array): void {
    this.#wants.push(key);
    this.bytes += key.length;
  }

  addSettled(round: number): void {
    this.#settledRound = round;
    this.bytes += 1;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  get records(): number {
    return this.#records.length;
  }

  finish(): ReconcileMessage {
    return {
      type: "reconcile",
      requestId: this.#round,
      settledRound: this.#settledRound,
      spans: this.#spans,
      lists: this.#lists,
      records: this.#records,
      isAnswer: false,
      upTo: this.upTo,
      wants: this.#wants,
    };
  }
}

function lengthOf({ from, to }: KeySpan): number {
  return (from?.length ?? 0) + (to?.length ?? 0);
}

import { HistoryRecorder, type OpenCall } from "../../../verification/index.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { RaftInput, RaftOperation, RaftOutput } from "./raft-model.ts";

export type RaftCall = OpenCall<RaftOutput>;

/** What the clients of one keyspace have done, and were told. */
export class RaftRecords {
  readonly recorder: HistoryRecorder<RaftInput, RaftOutput>;
  /** Values whose writes were said not to be applied. */
  readonly refused = new Set<string>();
  /** Values of writes that ended unknown. */
  readonly unknown = new Set<string>();
  /** What is known of each key: some version that it had, and the value of that. */
  readonly versions = new Map<string, { readonly version: string; readonly value: string }>();
  readonly violations: Violation[] = [];
  readonly #counts = new Map<string, number>();

  constructor(now: () => number) {
    this.recorder = new HistoryRecorder({ now });
  }

  get history(): readonly RaftOperation[] {
    return this.recorder.operations();
  }

  violate(check: string, message: string): void {
    this.violations.push({ check, message });
  }

  /** A rare state was reached. */
  count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  countOf(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** What was said not to be applied never shows. */
  refusedAndSeen(): Violation[] {
    return this.history.flatMap(({ input, output }): Violation[] => {
      const value = output?.value;
      if (input.type !== "get" || value === undefined || !this.refused.has(value)) return [];
      const message = `${input.key}: a read found ${value}, whose write was said not to be applied`;
      return [{ check: "outcome", message }];
    });
  }
}

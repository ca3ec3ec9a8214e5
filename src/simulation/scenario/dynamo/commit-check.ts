import { contextOfRecord, decodeDottedRecord } from "../../../built-ins.ts";
import { ByteWriter } from "../../../core/model/bytes.ts";
import type { Violation } from "../strategy-scenario.ts";
import { type CausalContext, eventsIn, valuesIn } from "./copies.ts";
import type { Workload } from "./workloads.ts";

const MAX_REPORTED = 5;

/** A version that a copy held and its next record does not, nor one that descends from it. */
interface Drop {
  readonly node: string;
  readonly key: string;
  readonly id: string;
  /** What the copy knows from then on. */
  readonly context: CausalContext;
}

/** Judges every record of a dynamo keyspace that comes to be held, against what was held before. */
export class CommitCheck {
  readonly #workload: Workload;
  readonly #violations: Violation[] = [];
  /** By key and context: what the state of a CRDT was wherever just this was known. */
  readonly #states = new Map<string, string>();
  readonly #drops: Drop[] = [];

  constructor(workload: Workload) {
    this.#workload = workload;
  }

  /** In the end: what a write that is under way comes to, and is called, is known only later. */
  violations(): readonly Violation[] {
    const { ghosts } = this.#workload;
    const dropped = this.#drops.filter(({ id, context }) => {
      return ghosts?.mayBeGone(id, [], context) === false;
    });
    const falsely = dropped.slice(0, MAX_REPORTED).map(({ node, key, id }) => ({
      check: "false-dominance",
      message: `${node}: ${key} dropped ${id}, and knows of no write that had seen it`,
    }));
    return [...this.#violations, ...falsely];
  }

  onPut(node: string, key: string, held: Uint8Array | undefined, record: Uint8Array): void {
    if (held !== undefined && !contextOfRecord(record).includes(contextOfRecord(held))) {
      this.#violate("falling-context", `${node}: ${key} knows less than before`);
    }
    this.#compareStates(node, key, record);
    const { ghosts } = this.#workload;
    if (ghosts === undefined) return;
    const now = valuesIn(record);
    for (const [id, event] of eventsIn(record)) ghosts.named(id, event);
    for (const id of held === undefined ? [] : valuesIn(held)) {
      if (now.includes(id) || now.some((newer) => ghosts.descends(newer, id))) continue;
      this.#drops.push({ node, key, id, context: contextOfRecord(record) });
    }
    const doubled = now.find((id, at) => now.indexOf(id) !== at);
    if (doubled !== undefined) {
      this.#violate("doubled-write", `${node}: ${key} holds the write ${doubled} twice`);
    }
    for (const newer of now) {
      const older = now.find((id) => id !== newer && ghosts.replaces(newer, id));
      if (older === undefined) continue;
      this.#violate("false-siblings", `${node}: ${key} holds ${older} beside ${newer}`);
    }
  }

  /** States are functions of the events that are known, to the byte, on whichever way they came. */
  #compareStates(node: string, key: string, record: Uint8Array): void {
    const { context, states } = decodeDottedRecord(record);
    if (states.length === 0) return;
    const writer = new ByteWriter();
    context.write(writer);
    const name = `${key} ${Buffer.from(writer.view()).toString("latin1")}`;
    const now = states.map((state) => Buffer.from(state).toString("latin1")).join();
    const before = this.#states.get(name);
    if (before === undefined) this.#states.set(name, now);
    else if (before !== now) {
      this.#violate(
        "two-states",
        `${node}: ${key} has another state than a copy that knows the same`,
      );
    }
  }

  #violate(check: string, message: string): void {
    if (this.#violations.length < MAX_REPORTED) this.#violations.push({ check, message });
  }
}

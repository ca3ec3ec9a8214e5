import fc from "fast-check";
import type { Actor } from "../../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import type { CausalContext, TimedDot } from "../../../../src/strategies/dynamo/causal-context.ts";
import { type DottedRecord, NOTHING } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { mergeRecords } from "../../../../src/strategies/dynamo/dotted-rules.ts";
import { mint } from "../../../../src/strategies/dynamo/mint.ts";
import type { Settlement } from "../../../../src/strategies/dynamo/settlement.ts";
import type { GhostVersion } from "../../../../src/verification/ghosts.ts";

/** One thing that happens to one key somewhere in a cluster. */
export type Step =
  /** A client reads the copy of a node, and keeps what it saw for later. */
  | { readonly type: "read"; readonly node: number; readonly client: number }
  | {
      readonly type: "put" | "delete";
      readonly node: number;
      /** Undefined: without a context. */
      readonly client: number | undefined;
    }
  /** A copy leaves a node, to arrive later, perhaps twice, perhaps never. */
  | { readonly type: "send"; readonly from: number }
  | { readonly type: "arrive"; readonly at: number; readonly message: number }
  /** The node's copy leaves it. It keeps no clock of the key, so it takes another actor. */
  | { readonly type: "drop"; readonly node: number };

const NODES = 4;
const CLIENTS = 3;
const node = fc.nat(NODES - 1);
const client = fc.nat(CLIENTS - 1);

export const scripts: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant("read" as const), node, client }),
    fc.record({
      type: fc.constantFrom("put" as const, "put" as const, "delete" as const),
      node,
      client: fc.option(client, { nil: undefined }),
    }),
    fc.record({ type: fc.constant("send" as const), from: node }),
    fc.record({ type: fc.constant("arrive" as const), at: node, message: fc.nat(7) }),
    fc.record({ type: fc.constant("drop" as const), node }),
  ),
  { minLength: 1, maxLength: 40, size: "max" },
);

/**
 * The dumb twin of a record: every event that is known, by name, and those whose version is alive.
 * Exact by its making, and as large as the history.
 */
export interface Twin {
  readonly seen: ReadonlySet<string>;
  readonly alive: ReadonlySet<string>;
}

export interface Copy {
  readonly record: DottedRecord;
  readonly twin: Twin;
}

export interface Drop {
  readonly dropped: GhostVersion;
  readonly kept: readonly GhostVersion[];
}

const EMPTY: Copy = {
  record: NOTHING,
  twin: { seen: new Set<string>(), alive: new Set<string>() },
};

export function mergeTwins(a: Twin, b: Twin): Twin {
  const stays = (mine: Twin, other: Twin) =>
    [...mine.alive].filter((dot) => other.alive.has(dot) || !other.seen.has(dot));
  return {
    seen: new Set([...a.seen, ...b.seen]),
    alive: new Set([...stays(a, b), ...stays(b, a)]),
  };
}

/** Runs a script on records and on their twins side by side. */
export class KeyWorld {
  readonly copies: Copy[] = Array.from({ length: NODES }, () => EMPTY);
  readonly messages: Copy[] = [];
  /** Every copy that there ever was. */
  readonly history: Copy[] = [];
  /** Of every event: those that its writer had seen. */
  readonly ghosts = new Map<string, GhostVersion>();
  readonly #settlement: Settlement;
  readonly #actors: Actor[] = Array.from({ length: NODES }, (_, low) => ({ high: 0, low }));
  readonly #counters: number[] = new Array(NODES).fill(0);
  readonly #clients: (Copy | undefined)[] = [];
  #nextActor = NODES;
  #time = 0;

  readonly dots = new Map<string, TimedDot>();
  /** Events that wrote a version, and did not delete. */
  readonly puts = new Set<string>();
  readonly #keepsActor: boolean;
  readonly #expiresAtMs: number | undefined;

  /**
   * @param more a node that loses its clock goes on counting from 1 under its old actor; every
   * second version expires, and the twins do not know.
   */
  constructor(
    settlement: Settlement,
    more: { readonly keepsActor?: boolean; readonly expiresAtMs?: number } = {},
  ) {
    this.#settlement = settlement;
    this.#keepsActor = more.keepsActor === true;
    this.#expiresAtMs = more.expiresAtMs;
  }

  run(script: readonly Step[], after: (copy: Copy) => void = () => undefined): void {
    for (const step of script) {
      const changed = this.#step(step);
      if (changed === undefined) continue;
      this.history.push(changed);
      after(changed);
    }
  }

  /** Where something expires a resolver looks into values. */
  #valueOf(name: string): Uint8Array {
    return this.#expiresAtMs === undefined ? Buffer.from(name) : encodeValue(name);
  }

  #step(step: Step): Copy | undefined {
    switch (step.type) {
      case "read":
        this.#clients[step.client] = this.copies[step.node];
        return undefined;
      case "send":
        this.messages.push(this.copies[step.from] as Copy);
        return undefined;
      case "drop":
        this.copies[step.node] = EMPTY;
        if (!this.#keepsActor) this.#actors[step.node] = { high: 0, low: this.#nextActor++ };
        this.#counters[step.node] = 0;
        return undefined;
      case "arrive":
        return this.#arrive(step.at, this.messages[step.message % this.messages.length]);
      default:
        return this.#write(step);
    }
  }

  #arrive(at: number, message: Copy | undefined): Copy | undefined {
    if (message === undefined) return undefined;
    const held = this.copies[at] as Copy;
    const merged: Copy = {
      record: mergeRecords(this.#settlement, held.record, message.record),
      twin: mergeTwins(held.twin, message.twin),
    };
    this.copies[at] = merged;
    return merged;
  }

  #write(step: Extract<Step, { type: "put" | "delete" }>): Copy {
    const held = this.copies[step.node] as Copy;
    const seen = step.client === undefined ? undefined : (this.#clients[step.client] ?? EMPTY);
    const actor = this.#actors[step.node] as Actor;
    const counter = (this.#counters[step.node] as number) + 1;
    this.#counters[step.node] = counter;
    const dot = { actor, counter };
    const name = `e${this.dots.size}`;
    const time = ++this.#time;
    this.dots.set(name, { ...dot, time });
    const minted = mint(
      this.#settlement,
      held.record,
      {
        type: step.type,
        value: step.type === "put" ? this.#valueOf(name) : undefined,
        seen: seen?.record.context,
        expiresAtMs:
          this.dots.size % 2 === 0 && step.type === "put" ? this.#expiresAtMs : undefined,
      },
      dot,
      time,
    );
    if (minted.type !== "record") throw new Error(minted.type);
    const covers = seen?.twin.seen ?? (step.type === "delete" ? held.twin.seen : new Set<string>());
    const alive = [...held.twin.alive].filter((each) => !covers.has(each));
    if (step.type === "put") {
      alive.push(name);
      this.puts.add(name);
    }
    const twin = { seen: new Set([...held.twin.seen, ...covers, name]), alive: new Set(alive) };
    this.ghosts.set(name, { id: name, descendsFrom: new Set(covers) });
    const copy = { record: minted.record, twin };
    this.copies[step.node] = copy;
    return copy;
  }
}

export function seenBy(context: CausalContext, dots: ReadonlyMap<string, TimedDot>): Set<string> {
  return new Set(
    [...dots].filter(([, dot]) => context.covers(dot, dot.time)).map(([name]) => name),
  );
}

import type { GetResult } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { LossOfNode } from "../topology.ts";
import type { CausalContext } from "./copies.ts";
import { CrdtEvents, type Known } from "./crdt-events.ts";
import { type CrdtModel, modelOf } from "./crdt-models.ts";
import { CrdtOperations } from "./crdt-operations.ts";
import type { WatchedCrdt, WatchedOperation } from "./watched-crdt.ts";
import type { Commit, Final, Workload, WriteCall } from "./workloads.ts";

/** One of so many reads is compared with the model. */
const JUDGED_READS = 6;
/** Of so many events it may be tried which of them are there: 2 to the power of it. */
const MOST_UNSURE = 6;
const MAX_REPORTED = 5;

/** What a workload of a CRDT has to know of the world. */
export interface CrdtScene {
  /** Of the versions that stores hand out. */
  contextOf(key: string, version: string): CausalContext;
  losses(): readonly LossOfNode[];
  /** The store that the node has now. */
  storeIdOf(node: string): string;
}

/** The call of one operation. */
export interface CrdtCall extends WriteCall {
  readonly operation: unknown;
}

/**
 * Operations of a CRDT, and its model: whatever a read shows is what the operations come to that its
 * version knows, each upon what it found where it was carried out. So an element that was removed
 * stays away, unless somebody has added it without knowledge of that, or after it; and what is known
 * in the end, `checkLostWrites` says.
 */
export class CrdtWorkload implements Workload {
  readonly ghosts = undefined;
  readonly #scene: CrdtScene;
  readonly #model: CrdtModel;
  readonly #operations: CrdtOperations;
  readonly #events: CrdtEvents;
  readonly #refused = new Set<string>();
  readonly #violations = new Map<string, Violation[]>();
  readonly #judged = new Map<string, number>();
  #reads = 0;

  constructor(watched: WatchedCrdt, scene: CrdtScene) {
    this.#scene = scene;
    this.#model = modelOf(watched.resolver.name);
    this.#operations = new CrdtOperations(watched.resolver.name);
    this.#events = new CrdtEvents(watched, (node) => scene.storeIdOf(node));
  }

  get readFirstShare(): number {
    return this.#operations.readFirstShare;
  }

  /** Values of the key that were compared with the model. */
  judgedOf(key: string): number {
    return this.#judged.get(key) ?? 0;
  }

  draw(draw: Draw, key: string, read: GetResult<unknown> | undefined, id: string): CrdtCall {
    const operation = this.#operations.draw(draw, key, read, id);
    const sent: WatchedOperation = { id, key, operation };
    const send: CrdtCall["send"] = (keyspace, options) => keyspace.update(key, sent, options);
    return { id, key, operation, send };
  }

  noteCommit({ node, atMs, key, held, record }: Commit): void {
    const storeId = this.#scene.storeIdOf(node);
    this.#events.note(key, held, record, { node, storeId, at: atMs });
  }

  begun(): void {
    // Whoever carries it out tells.
  }

  acknowledged({ id, key }: WriteCall, version: string): void {
    const { sure, unsure } = this.#knownBy(key, version);
    if (sure.some((each) => each.id === id) || unsure.some((each) => each.id === id)) return;
    this.#violate("operation", key, `the version of ${id} does not know it`);
  }

  failed({ id }: WriteCall, isUnknown: boolean): void {
    if (!isUnknown) this.#refused.add(id);
  }

  noteRead(key: string, result: GetResult<unknown>): void {
    this.#reads += 1;
    if (this.#reads % JUDGED_READS !== 0) return;
    this.#judge(key, result, "to a read");
  }

  judgeOutcomes(): readonly Violation[] {
    // Of a refused operation nobody can tell by its value: `judgeFinal` counts.
    return [];
  }

  /** With what was found of the key before. */
  judgeFinal({ key, result }: Final): readonly Violation[] {
    if (result !== undefined) {
      this.#judge(key, result, "in the end");
      this.#judgeCalls(key, this.#knownBy(key, result.version));
    }
    return this.#violations.get(key) ?? [];
  }

  #judge(key: string, result: GetResult<unknown>, when: string): void {
    if (result.version === undefined) return;
    const { sure, unsure } = this.#knownBy(key, result.version);
    if (unsure.length > MOST_UNSURE) return;
    this.#judged.set(key, this.judgedOf(key) + 1);
    const shown = shownBy(result);
    const wanted = subsetsOf(unsure).map((some) =>
      textOfValue(this.#model.valueOf([...sure, ...some])),
    );
    const found = textOfValue(shown ?? this.#model.valueOf([]));
    if (wanted.includes(found)) return;
    this.#violate("model", key, `${when} it is ${found}; what it knows comes to ${wanted[0]}`);
  }

  /** Nothing was carried out twice, nor what was refused. */
  #judgeCalls(key: string, { sure }: Known): void {
    const met = new Set<string>();
    for (const { id, operation } of sure) {
      const what = `${id}, ${JSON.stringify(operation)},`;
      if (met.has(id)) this.#violate("operation", key, `${what} was carried out twice`);
      met.add(id);
      if (!this.#refused.has(id)) continue;
      this.#violate("outcome", key, `${what} is there, and was said not to be applied`);
    }
  }

  #knownBy(key: string, version: string | undefined): Known {
    if (version === undefined) return { sure: [], unsure: [] };
    return this.#events.knownBy(key, this.#scene.contextOf(key, version), this.#scene.losses());
  }

  #violate(check: string, key: string, message: string): void {
    const found = this.#violations.get(key) ?? [];
    this.#violations.set(key, found);
    if (found.length < MAX_REPORTED) found.push({ check, message: `${key}: ${message}` });
  }
}

/** Undefined where nothing was found. */
function shownBy(result: GetResult<unknown>): unknown {
  return result.found && !result.conflict ? result.value : undefined;
}

/** Members of objects in one order. */
function textOfValue(value: unknown): string {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return JSON.stringify(
    isObject ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) : value,
  );
}

function subsetsOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: 2 ** items.length }, (_, bits) =>
    items.filter((_item, at) => (bits & (1 << at)) !== 0),
  );
}

import type { Fault } from "../scenario/faults.ts";
import type { FaultKind } from "../scenario/plan.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";

/** A fault as people are told of it. */
export interface FaultSpan {
  readonly kind: FaultKind;
  readonly fromMs: number;
  /** When it ends by itself, unless all faults end before. */
  readonly toMs: number;
  /** Nodes that it changed at its beginning. */
  readonly nodes: readonly string[];
  /** `n1 | n2`: what does not hear each other any more. */
  readonly cuts: readonly string[];
}

/** Writes down which faults came, when, and whom they met. */
export class FaultLog {
  #spans: FaultSpan[] = [];
  readonly #world: SimWorld;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  get spans(): readonly FaultSpan[] {
    return this.#spans;
  }

  /** All that is left of them ends now. */
  endAll(): void {
    const { nowMs } = this.#world.time;
    this.#spans = this.#spans.map((span) => ({ ...span, toMs: Math.min(span.toMs, nowMs) }));
  }

  /** For `Nemesis.around`: what differs after the beginning is what the fault did. */
  note(kind: FaultKind, begin: () => Fault | undefined): Fault | undefined {
    const { nodes, time } = this.#world;
    const before = new Map(nodes.map((node) => [node.id, this.#stateOf(node)]));
    const cutBefore = this.#cuts();
    const fault = begin();
    if (fault === undefined) return undefined;
    const changed = nodes.filter((node) => before.get(node.id) !== this.#stateOf(node));
    this.#spans.push({
      kind,
      fromMs: time.nowMs,
      toMs: time.nowMs + fault.durationMs,
      nodes: changed.map(({ id }) => id),
      cuts: [...this.#cuts()].filter((cut) => !cutBefore.has(cut)),
    });
    return fault;
  }

  #cuts(): ReadonlySet<string> {
    const ids = this.#world.nodes.map(({ id }) => id);
    const cuts = new Set<string>();
    for (const [at, from] of ids.entries()) {
      for (const to of ids.slice(at + 1)) {
        const there = this.#world.network.isCut(from, to);
        const back = this.#world.network.isCut(to, from);
        if (there && back) cuts.add(`${from} | ${to}`);
        else if (there) cuts.add(`${from} -| ${to}`);
        else if (back) cuts.add(`${to} -| ${from}`);
      }
    }
    return cuts;
  }

  #stateOf({ id, life, starts, clock, disk }: SimNode): string {
    const { files, latencyMs } = disk;
    return [
      starts,
      life === undefined,
      life?.environment.isPaused,
      this.#world.network.isOffline(id),
      ...[clock.rate, clock.aheadMs, latencyMs, files.stalled, files.capacityBytes],
    ].join();
  }
}

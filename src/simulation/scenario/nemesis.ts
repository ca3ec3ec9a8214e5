import type { SimWorld } from "../sim-world.ts";
import { TRACE } from "../trace.ts";
import type { Draw } from "./draw.ts";
import { FAULTS, type Fault, type FaultScene, type Undo } from "./faults.ts";
import type { FaultKind, ScenarioPlan } from "./plan.ts";

/** A fault that cannot come now is drawn again this often. */
const MAX_DRAWS = 8;

/** Lets faults come and go, as the plan has drawn them. */
export class Nemesis {
  /** How often each kind came. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #world: SimWorld;
  readonly #plan: ScenarioPlan;
  readonly #draw: Draw;
  readonly #scene: FaultScene;
  readonly #active = new Set<Undo>();
  #isStopped = false;
  total = 0;
  /** Stands around the beginning of every fault, for whoever writes down what came. */
  around: (kind: FaultKind, begin: () => Fault | undefined) => Fault | undefined = (_kind, begin) =>
    begin();

  constructor(world: SimWorld, plan: ScenarioPlan, draw: Draw, scene: FaultScene) {
    this.#world = world;
    this.#plan = plan;
    this.#draw = draw;
    this.#scene = scene;
  }

  start(): void {
    this.#world.time.setTimer(this.#draw.exponential(this.#plan.meanFaultPauseMs), () => {
      if (this.#isStopped) return;
      this.#inject();
      this.start();
    });
  }

  /** No fault comes any more; those that are there stay. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Ends the faults that are there. */
  undoAll(): void {
    for (const undo of [...this.#active]) this.#undo(undo);
  }

  #inject(): void {
    for (let draws = 0; draws < MAX_DRAWS; draws += 1) {
      const kind = this.#draw.pick(this.#plan.faults);
      const fault = this.around(kind, () => FAULTS[kind](this.#scene, this.#draw));
      if (fault === undefined) continue;
      this.#world.trace.noteText(TRACE.fault, this.#world.time.nowMs, kind);
      this.counts[kind] = (this.counts[kind] ?? 0) + 1;
      this.total += 1;
      this.#active.add(fault.undo);
      this.#world.time.setTimer(fault.durationMs, () => {
        // Once the faults have stopped, what is broken stays broken.
        if (!this.#isStopped) this.#undo(fault.undo);
      });
      return;
    }
  }

  #undo(undo: Undo): void {
    if (this.#active.delete(undo)) undo();
  }
}

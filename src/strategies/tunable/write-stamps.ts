import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import { compareStamps, type Stamp, ZERO_STAMP } from "../../core/model/stamp.ts";
import type { PendingWrite } from "./pending-write.ts";
import type { PlantedBugs } from "./planted-bugs.ts";

/**
 * Under which stamp a write goes out: the one that its operation id names, or one of this node's
 * clock above all that the write has been shown.
 */
export class WriteStamps {
  readonly #context: CoordinatorContext;
  readonly #planted: PlantedBugs;

  constructor(context: CoordinatorContext, planted: PlantedBugs) {
    this.#context = context;
    this.#planted = planted;
  }

  /**
   * A stamp beyond the clock guard is believed only of a replica that holds it: one in a context
   * or in an operation id may be anybody's invention, so it is looked for first.
   */
  mustLearn(pending: PendingWrite, wallMs: number): boolean {
    const { clock } = this.#context;
    const { newest, fixedStamp, request } = pending;
    const isDoubtful = clock.isBeyondGuard(newest, wallMs);
    if (isDoubtful) pending.newest = ZERO_STAMP;
    if (request.operation.level === "strong") return !this.#planted.strongWriteDoesNotLearn;
    return isDoubtful || (fixedStamp !== undefined && clock.isBeyondGuard(fixedStamp, wallMs));
  }

  /** A replica holds this stamp. */
  see(pending: PendingWrite, stamp: Stamp | undefined, wallMs: number): void {
    if (stamp === undefined) return;
    this.#context.clock.observe(stamp, wallMs);
    if (compareStamps(stamp, pending.newest) > 0) pending.newest = stamp;
  }

  /** Once before each round that is not the same version again. */
  stamp(pending: PendingWrite, wallMs: number): void {
    const { newest, fixedStamp } = pending;
    if (fixedStamp !== undefined) pending.stampAs(fixedStamp, newest);
    else if (newest.time === 0) pending.stampAs(this.#context.clock.mint(wallMs), undefined);
    else {
      const { stamp, proof } = this.#context.clock.mintAbove(newest, wallMs);
      pending.stampAs(stamp, proof);
    }
  }
}

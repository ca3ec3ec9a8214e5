import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";
import { ExpiringKeys } from "./expiring-keys.ts";
import { SessionKeys, type Versions } from "./session-keys.ts";
import { WatchedKeys } from "./watched-keys.ts";

/** In this share of the seeds there are such requests, and of the operations they are this share. */
const SEEDS = 0.4;
const SHARE = 0.3;
const SESSION_SHARE = 0.5;
/** And in this share of those seeds somebody watches; then so many of the requests are for it. */
const WATCHED_SEEDS = 0.6;
const WATCHED_SHARE = 0.3;

/** Rare states that they reach. */
export const SIDE_SOMETIMES: readonly string[] = Object.freeze([
  "a value was seen gone after its time to live",
  "a session was refused rather than shown less",
  "a leaderless watch was told of a gap",
]);

/**
 * Requests on keys of their own, beside a leaderless keyspace's workload, drawn from a stream of their
 * own: a seed without them is what it was.
 */
export class SideRequests {
  readonly #draw: Draw;
  readonly #isOn: boolean;
  readonly #expiring: ExpiringKeys;
  readonly #sessions: SessionKeys;
  readonly #watched: WatchedKeys | undefined;

  /**
   * @param takesPuts false where the keyspace's resolver has operations instead.
   */
  constructor(scene: KeyspaceScene, versions: Versions, takesPuts = true) {
    this.#draw = new Draw(scene.world.random(`${scene.plan.name}/side-requests`));
    this.#isOn = takesPuts && this.#draw.chance(SEEDS);
    this.#expiring = new ExpiringKeys(scene);
    this.#sessions = new SessionKeys(scene, versions);
    const watches = new Draw(scene.world.random(`${scene.plan.name}/side-watches`));
    const isWatched = this.#isOn && watches.chance(WATCHED_SEEDS);
    this.#watched = isWatched ? new WatchedKeys(scene, watches) : undefined;
  }

  /** Whether the next operation is one of these. */
  takes(): boolean {
    if (!this.#isOn) return false;
    this.#expiring.look();
    this.#watched?.begin();
    return this.#draw.chance(SHARE);
  }

  operate(client: string, node: SimNode, another: () => SimNode | undefined): Promise<Ending> {
    if (this.#watched !== undefined && this.#draw.chance(WATCHED_SHARE)) {
      return this.#watched.operate(client, this.#draw, node);
    }
    const workload = this.#draw.chance(SESSION_SHARE) ? this.#sessions : this.#expiring;
    return workload.operate(client, this.#draw, node, another);
  }

  /** Clocks are looked at as often as anything happens. */
  look(): void {
    if (this.#isOn) this.#expiring.look();
  }

  async readAtTheEnd(): Promise<void> {
    if (!this.#isOn) return;
    await this.#expiring.readAtTheEnd();
    await this.#watched?.readAtTheEnd();
  }

  judge(): readonly Violation[] {
    return [
      ...this.#expiring.judge(),
      ...this.#sessions.violations(),
      ...(this.#watched?.violations() ?? []),
    ];
  }

  sometimes(): Readonly<Record<string, number>> {
    const [gone = "", behind = "", gap = ""] = SIDE_SOMETIMES;
    const gaps = this.#watched?.gaps ?? 0;
    return { [gone]: this.#expiring.gone, [behind]: this.#sessions.behind, [gap]: gaps };
  }
}

import type { Effects } from "../../core/contracts/machine.ts";
import type { ShardMachine } from "./apply.ts";
import type { RaftMessage } from "./client-messages.ts";
import type { Moment, Standing } from "./consensus-types.ts";
import type { LogClock } from "./log-clock.ts";
import { Sweeper } from "./sweeper.ts";

type Fx = Effects<RaftMessage>;

/** What the upkeep asks of the replica that it belongs to. */
export interface UpkeepPorts {
  readonly machine: Pick<ShardMachine, "books" | "takeNearestExpiryMs">;
  readonly clock: LogClock;
  /** How long a session is remembered. */
  readonly sessionLifetimeMs: number;
  serving(): boolean;
  /** Proposes a command with this body. False if it is refused now. */
  propose(body: Uint8Array, at: Moment, effects: Fx): boolean;
}

/**
 * What a leader proposes though nobody has asked for it: the command that begins a shard's life,
 * and what removes rows whose time has come.
 *
 * Invariant: where a leader's state has rows whose time will come, the timer is set; what set it in
 * an earlier leadership knew nothing of the rows that a snapshot has brought since.
 */
export class Upkeep {
  static readonly TIMER = Sweeper.TIMER;
  readonly #ports: UpkeepPorts;
  readonly #sweeper: Sweeper;
  /** Of the leadership that this is; undefined: another node leads, or nobody does. */
  #leadsInTerm: number | undefined;
  #begunInTerm = 0;

  constructor(ports: UpkeepPorts) {
    this.#ports = ports;
    this.#sweeper = new Sweeper(ports.sessionLifetimeMs);
  }

  onStanding({ role, term }: Standing): void {
    const leadsInTerm = role === "leader" ? term : undefined;
    // Its first entry, when it is applied, has the timer set anew by what the state holds.
    if (leadsInTerm !== undefined && leadsInTerm !== this.#leadsInTerm) this.#sweeper.forgetTimer();
    this.#leadsInTerm = leadsInTerm;
  }

  /**
   * At every event. A clock that was set forward has made rows due before their timer; so has a node
   * that was put to sleep, whose monotonic clock has stood still.
   */
  look(at: Moment, effects: Fx): void {
    if (this.#leadsInTerm === undefined) return;
    this.#maybeBegin(at, effects);
    if (this.#sweeper.isDue(this.#ports.clock.read(at))) this.onTimer(at, effects);
  }

  /**
   * A shard that has applied no command has no life yet: no order of changes, no version tokens. Its
   * first leader begins one before it takes writes, with a command that changes nothing else. Refused,
   * as while it hands over, it tries again at the next event: what watches a shard that is never
   * written waits for it.
   */
  #maybeBegin(at: Moment, effects: Fx): void {
    const term = this.#leadsInTerm;
    if (term === undefined || this.#begunInTerm === term) return;
    if (this.#ports.machine.books.salt !== 0) return;
    if (this.#ports.propose(Sweeper.nothing(), at, effects)) this.#begunInTerm = term;
    effects.atTurnEnd();
  }

  /** Entries were applied: something may be due earlier than the timer says. */
  onApplied(at: Moment, effects: Fx): void {
    if (this.#leadsInTerm === undefined) return;
    const { machine, clock } = this.#ports;
    this.#sweeper.watch(machine.takeNearestExpiryMs(), clock.read(at), machine.books, effects);
  }

  onTimer(at: Moment, effects: Fx): void {
    this.#sweeper.forgetTimer();
    if (this.#leadsInTerm === undefined) return;
    const { books } = this.#ports.machine;
    const clockMs = this.#ports.clock.read(at);
    const body = this.#ports.serving() ? this.#sweeper.find(effects, clockMs, books) : undefined;
    if (body !== undefined) this.#ports.propose(body, at, effects);
    this.#sweeper.sleep(effects, clockMs, books, effects);
    effects.atTurnEnd();
  }
}

import type { Engine } from "../core/contracts/strategy.ts";
import type { Level } from "../core/model/levels.ts";
import type { SuiteClock } from "./suite.ts";

/** How the suite gets at the engines that it tests. */
export interface EngineHarness {
  /** The clock that deadlines are counted by. */
  readonly clock: SuiteClock;
  /** A new engine over an empty keyspace, ready at `level`. */
  create(): Promise<EngineUnderTest>;
}

/** One engine, and what happens around it. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** For reads and writes: one that shows what was written, and needs others of the cluster. */
  readonly level: Level;
  /** For scans, likewise. */
  readonly scanLevel: Level;
  /** Operations at once, above which the engine refuses. */
  readonly bound: number;
  /** The longest deadline of its own that an operation at `level` can have. */
  readonly ownDeadlineMs: number;
  /** How late an answer may be: of a busy machine's timers, and of the network. */
  readonly slackMs: number;
  shardOf(key: Uint8Array): number;
  /** From now on nothing passes between this engine and the others, and nobody is told. */
  cut(): void;
  /** Ends the cut. Resolves once operations at `level` can succeed again. */
  heal(): Promise<void>;
  /** Ends all of it: the engine, closed or not, and what is around it. */
  dispose(): Promise<void>;
}

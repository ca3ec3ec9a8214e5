import { readFileSync } from "node:fs";
import type { PlantedHostBugs } from "../../src/core/store/planted-bugs.ts";
import { runScenario, type ScenarioReport } from "../../src/simulation/scenario/run-scenario.ts";
import type { PlantedLogBugs } from "../../src/storage/disk/log/planted-bugs.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import type { PlantedDynamoBugs } from "../../src/strategies/dynamo/planted-bugs.ts";
import type {
  PlantedConsensusBugs,
  PlantedReplicaBugs,
} from "../../src/strategies/raft/planted-bugs.ts";
import { makeRaftStrategy } from "../../src/strategies/raft/raft-strategy.ts";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";

/** The switches, by where they are. */
const STRATEGY: readonly (keyof PlantedBugs)[] = [
  "strongWriteDoesNotLearn",
  "strongReadDoesNotWriteBack",
  "oneAcknowledgementLess",
  "oneAnswerLess",
  "ownCopyCountsTwice",
  "stalestAnswers",
  "supersededIsHeld",
  "operationIdForgotten",
  "sentIsNotApplied",
  "oldSelfCounts",
  "repairOverwritesNewer",
  "olderOverwritesNewer",
  "rebuildOverwritesNewer",
  "tombstoneForgotten",
  "emptyReplicaServes",
  "rebuildFromOne",
  "rebuildingVotes",
  "replayForgotten",
  "expiredIsShown",
  "expiredIsForgotten",
  "sessionIgnored",
  "sessionForgetsReads",
  "repairIsNotTold",
  "tiesBrokenDifferently",
  "digestMismatchIgnored",
  "settlesWithoutProof",
  "hintsOverwriteNewer",
  "hintsNeverDeleted",
  "treeNotKeptInStep",
  "restOfSpanUntold",
  "fenceIgnored",
  "eachCountedOverAll",
];
/** With `dynamo/` before them: some are of both leaderless strategies. */
const DYNAMO: readonly (keyof PlantedDynamoBugs)[] = [
  "actorReused",
  "mintedTwice",
  "secondMinter",
  "standInsCount",
  "contextIgnored",
  "blindWriteReplaces",
  "receiptCoversUnseen",
  "minterKeepsNothing",
  "newestRecordWins",
  "statesNotJoined",
  "deltaAcrossGap",
  "deltaTakenForState",
  "oneAcknowledgementLess",
  "sentIsNotApplied",
  "repairOverwritesNewer",
  "olderOverwritesNewer",
  "rebuildOverwritesNewer",
  "tombstoneForgotten",
  "emptyReplicaServes",
  "replayForgotten",
  "expiredIsShown",
  "expiredIsForgotten",
  "sessionIgnored",
  "sessionForgetsReads",
  "repairIsNotTold",
  "hintsOverwriteNewer",
  "hintsNeverDeleted",
  "treeNotKeptInStep",
  "removedElementReturns",
  "actorsRetiredWithoutProof",
];
const DYNAMO_PREFIX = "dynamo/";
/** With `raft/` before them, like those of the consensus. */
const RAFT: readonly (keyof PlantedReplicaBugs)[] = [
  "retryAppliedTwice",
  "sessionNotAwaited",
  "batchInParts",
  "sweptThoughRewritten",
  "changesOfBatchDropped",
  "watchUnconfirmed",
  "questionIsNoCopy",
];
/**
 * Most of them are found in a world of its own, in the unit tests; these in whole stores, too. What is
 * told of changes of replicas only those show.
 */
const CONSENSUS: readonly (keyof PlantedConsensusBugs)[] = [
  "voteNotKept",
  "readBeforeOwnCommit",
  "goalLeftStanding",
  "othersNotAsked",
];
const RAFT_PREFIX = "raft/";
const HOST: readonly (keyof PlantedHostBugs)[] = [
  "wordsBeforeDurability",
  "incompleteShardTrusted",
  "oldCopyAccepted",
  "followedStoreTrusted",
  "doubledFrameTaken",
  "commitForgotten",
  "clockBackAfterRestart",
  "clockGuardIgnored",
  "stateBeyondLog",
];
const LOG: readonly (keyof PlantedLogBugs)[] = [
  "syncNotAwaited",
  "damageCutAsTail",
  "tornTailAccepted",
];

const DYNAMO_NAMES: readonly string[] = DYNAMO.map((name) => DYNAMO_PREFIX + name);
const RAFT_NAMES: readonly string[] = [...RAFT, ...CONSENSUS].map((name) => RAFT_PREFIX + name);

export const PLANTED: readonly string[] = [
  ...STRATEGY,
  ...DYNAMO_NAMES,
  ...RAFT_NAMES,
  ...HOST,
  ...LOG,
];

/** Other strategies that come to have scenarios must not change which seed finds a bug. */
const ALONE = { strategies: ["tunable"] };
const DYNAMO_ALONE = { strategies: ["dynamo"] };
const RAFT_ALONE = { strategies: ["raft"] };

/** Runs a seed with one of them switched on. */
export function runPlanted(name: string, seed: number): Promise<ScenarioReport> {
  const switched = { [name]: true };
  if (DYNAMO_NAMES.includes(name)) {
    const dynamo = makeDynamoStrategy({ [name.slice(DYNAMO_PREFIX.length)]: true });
    return runScenario(seed, { ...DYNAMO_ALONE, substitutes: { dynamo } });
  }
  if (RAFT_NAMES.includes(name)) {
    const own = name.slice(RAFT_PREFIX.length);
    const isOfConsensus = (CONSENSUS as readonly string[]).includes(own);
    const raft = isOfConsensus
      ? makeRaftStrategy({ [own]: true })
      : makeRaftStrategy({}, { [own]: true });
    return runScenario(seed, { ...RAFT_ALONE, substitutes: { raft } });
  }
  if ((STRATEGY as readonly string[]).includes(name)) {
    return runScenario(seed, { ...ALONE, substitutes: { tunable: makeTunableStrategy(switched) } });
  }
  if ((HOST as readonly string[]).includes(name)) {
    return runScenario(seed, { ...ALONE, planted: { host: switched } });
  }
  if ((LOG as readonly string[]).includes(name)) {
    return runScenario(seed, { ...ALONE, planted: { log: switched } });
  }
  throw new Error(
    `there is no planted bug ${JSON.stringify(name)}; there are: ${PLANTED.join(", ")}`,
  );
}

export type PlantedPlace = "tunable" | "dynamo" | "raft" | "store";

function placeOf(name: string): PlantedPlace {
  if (DYNAMO_NAMES.includes(name)) return "dynamo";
  if (RAFT_NAMES.includes(name)) return "raft";
  return (STRATEGY as readonly string[]).includes(name) ? "tunable" : "store";
}

function aloneOf(name: string): { readonly strategies: string[] } {
  if (DYNAMO_NAMES.includes(name)) return DYNAMO_ALONE;
  return RAFT_NAMES.includes(name) ? RAFT_ALONE : ALONE;
}

/** They may fail for what the bug only happens to stir up. */
const WEAK_CHECKS: readonly string[] = ["hygiene", "liveness"];

/** Which seed shows a planted bug first, and by which check. */
export interface Finder {
  readonly seed: number;
  readonly check: string;
}

/** Looks for seeds that show planted bugs. */
export class PlantedSearch {
  /** By strategies and seed: many bugs are shown by the same seed, which is run once without them. */
  readonly #isClean = new Map<string, Promise<boolean>>();

  /**
   * The first of the seeds that violates a promise with the bug, and none without it. A run that
   * throws counts for nothing: it is no violation.
   */
  async find(name: string, from: number, seeds: number): Promise<Finder | undefined> {
    for (let seed = from; seed < from + seeds; seed += 1) {
      const report = await runPlanted(name, seed).catch(() => undefined);
      const violation = report?.violations.find(({ check }) => !WEAK_CHECKS.includes(check));
      if (violation === undefined) continue;
      if (await this.#cleanWithout(name, seed)) return { seed, check: violation.check };
    }
    return undefined;
  }

  #cleanWithout(name: string, seed: number): Promise<boolean> {
    const alone = aloneOf(name);
    const key = `${alone.strategies.join()} ${seed}`;
    const known = this.#isClean.get(key);
    if (known !== undefined) return known;
    const run = runScenario(seed, alone).then(({ violations }) => violations.length === 0);
    this.#isClean.set(key, run);
    return run;
  }
}

/** Written by `npm run simulate:planted`: which seed shows which planted bug. */
export function recordedFinders(): Readonly<Record<string, Finder>> {
  const file = new URL("../simulation/planted/finders.json", import.meta.url);
  return JSON.parse(readFileSync(file, "utf8"));
}

/** Those of one place among the recorded ones: where they are planted decides what a run costs. */
export function findersOf(place: PlantedPlace): readonly (readonly [string, Finder])[] {
  return Object.entries(recordedFinders()).filter(([name]) => placeOf(name) === place);
}

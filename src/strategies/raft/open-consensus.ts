import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import {
  bornConfiguration,
  type Configuration,
  readConfiguration,
  writeConfiguration,
} from "./configuration.ts";
import { NO_CONFIGURATION } from "./configuration-history.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import type { Opening } from "./consensus-types.ts";
import { decodeHardState, HARD_STATE, type HardState } from "./hard-state.ts";

/** Under which a store that took part in its shard's birth keeps the first configuration. */
const BIRTH = "raft-birth";

/**
 * From what a replica starts. True if it has a past in which it may have promised something.
 *
 * - Nothing was kept, and there is nothing to learn: the shard is born here, with the voters that
 *   the map names.
 * - Something may be lost (`empty`): a replica that has kept what it promised has its vote
 *   counted only with all others' before it has its entries again. One that has kept nothing has a new store, and never promised
 *   anything under its id: it is nobody until the leader has made it a learner.
 *   So is one that the map does not name, until a change of the shard's replicas does.
 *   A single replica has nobody to learn from, and goes on with what there is.
 */
export function openConsensus(core: ConsensusCore, opening: Opening): boolean {
  const { origin, applied } = opening;
  const kept = core.effects.kept(HARD_STATE);
  if (kept !== undefined) core.restore(takenUp(core, decodeHardState(kept)));
  const { replicas } = core.options.placement();
  const isPlaced = replicas.includes(core.self);
  const isAlone = replicas.length === 1 && replicas[0] === core.self;
  if (kept === undefined && isPlaced && (origin !== "empty" || isAlone)) bear(core);
  else if (kept !== undefined && origin === "empty" && !isAlone)
    core.keepStanding(core.original, true);
  if (origin === "empty" && isAlone) core.emit("writes-may-be-lost", {});
  core.restart(applied?.index ?? 0, applied?.term ?? 0);
  core.history.reset(
    applied?.configurationIndex ?? 0,
    applied?.configuration ?? birthConfiguration(core),
  );
  return kept !== undefined || origin === "empty";
}

function takenUp({ planted }: ConsensusCore, hard: HardState): HardState {
  return planted.supersededForgotten === true ? { ...hard, superseded: false } : hard;
}

function bear(core: ConsensusCore): void {
  const writer = new ByteWriter();
  writeConfiguration(writer, bornConfiguration(core.options.placement().replicas));
  core.effects.keep(BIRTH, writer.copy());
  core.keepStanding(true, false);
}

function birthConfiguration(core: ConsensusCore): Configuration {
  const kept = core.effects.kept(BIRTH);
  return kept === undefined ? NO_CONFIGURATION : readConfiguration(new ByteReader(kept));
}

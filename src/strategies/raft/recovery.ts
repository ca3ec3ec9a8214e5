import { appendEntry } from "./acceptance.ts";
import { configurationRecord, nodesOf, ORIGINAL_STORE } from "./configuration.ts";
import { NO_CONFIGURATION } from "./configuration-history.ts";
import type { ConsensusCore } from "./consensus-core.ts";
import { firstTermBehind } from "./group.ts";

/** The last rank that there is. */
const OUTSIDER = 63;

/**
 * Makes of what this replica has of a shard the shard: another group, of which it is the only voter,
 * in terms above all of the old one (docs/decisions/0028). `follow` gives up what there was in the
 * old term. All of the log that is here is kept, whether it was committed or not.
 */
export function beginAnotherGroup(core: ConsensusCore, follow: (term: number) => void): void {
  const { self, original, options, log } = core;
  const place = nodesOf(core.configuration).indexOf(self);
  // One that was removed is none of them.
  const rank = place < 0 ? OUTSIDER : place;
  const lost = core.configuration.voters.filter(({ node }) => node !== self);
  const first = firstTermBehind(core.term, rank, options.randomUint32());
  follow(core.planted.recoveredInOldGroup === true ? core.term + 1 : first);
  core.keepJoined();
  core.emit("raft-recovered", { lost: lost.map(({ node }) => node), lastIndex: log.lastIndex });
  core.emit("writes-may-be-lost", {});
  const storeId = original ? ORIGINAL_STORE : options.self.storeId;
  const voters = [{ node: self, storeId }];
  appendEntry(core, configurationRecord({ ...NO_CONFIGURATION, voters }, core.term));
}

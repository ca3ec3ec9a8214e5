import { beforeAll, test } from "vitest";
import { CLAIM, killLeaders, LONG, patienceFor, SEED } from "../support/failovers.ts";
import { ensureBuilt } from "../support/processes.ts";

// The leader of a raft shard dies by SIGKILL under load, again and again, on real processes and
// disks. `npm run test:failover` does it 50 times over each transport.

const KILLS = Number(LONG ?? 5);

beforeAll(() => ensureBuilt());

test(
  `leaders that are killed over TCP ${CLAIM}, over ${KILLS} kills (CAPSTAN_SEED=${SEED})`,
  patienceFor(KILLS),
  () => killLeaders(KILLS, { type: "tcp" }),
);

import { beforeAll, test } from "vitest";
import { CLAIM, killLeaders, LONG, patienceFor, SEED } from "../support/failovers.ts";
import { natsProgram, startNats } from "../support/nats.ts";
import { ensureBuilt } from "../support/processes.ts";

// As failover.test.ts: no closed connection tells that a leader is gone, only its silence.

const program = await natsProgram();
const KILLS = Number(LONG ?? 2);

if (program === undefined) {
  console.log("failover over NATS is skipped: no server was found, and NATS_SERVER_BIN names none");
}

beforeAll(() => ensureBuilt());

test.skipIf(program === undefined)(
  `leaders that are killed over NATS ${CLAIM}, over ${KILLS} kills (CAPSTAN_SEED=${SEED})`,
  patienceFor(KILLS),
  async () => {
    const server = await startNats(program);
    try {
      await killLeaders(KILLS, { type: "nats", servers: server.url });
    } finally {
      await server.stop();
    }
  },
);

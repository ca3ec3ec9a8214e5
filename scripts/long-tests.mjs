// The tests that `npm test` runs a little of, at full length: `node scripts/long-tests.mjs kills`.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const LONG = {
  kills: {
    files: [
      "test/processes/kills.test.ts",
      "test/processes/damage.test.ts",
      "test/processes/two-processes.test.ts",
      "test/simulation/crashing-disks.test.ts",
    ],
    env: {
      CAPSTAN_KILLS: "200",
      CAPSTAN_DAMAGES: "60",
      CAPSTAN_RESTARTS_IN_A_ROW: "20",
      CAPSTAN_SEEDS: "1000",
    },
  },
  failover: {
    files: ["test/processes/failover.test.ts", "test/processes/nats-failover.test.ts"],
    env: { CAPSTAN_FAILOVERS: "50", CAPSTAN_REQUIRE_NATS: "1" },
  },
  repair: {
    files: ["test/processes/nats-partition.test.ts"],
    env: { CAPSTAN_REPAIR_KEYS: "100000", CAPSTAN_REQUIRE_NATS: "1" },
  },
  idle: {
    files: ["test/processes/idle-shards.test.ts"],
    env: { CAPSTAN_IDLE_SHARDS: "1000", CAPSTAN_IDLE_MS: "16000" },
  },
  load: {
    files: [
      "test/processes/cli-load.test.ts",
      "test/processes/cluster-disk.test.ts",
      "test/processes/nats-disk.test.ts",
    ],
    env: { CAPSTAN_LOAD_LINES: "100000", CAPSTAN_REQUIRE_NATS: "1" },
  },
  restarts: {
    files: [
      "test/unit/strategies/dynamo/retired-actors.test.ts",
      "test/unit/strategies/dynamo/states/retired-names.test.ts",
    ],
    env: { CAPSTAN_RESTARTS: "1000" },
  },
  crdt: {
    files: ["test/unit/resolvers/crdt/scripts.test.ts"],
    env: { CAPSTAN_SCRIPTS: "125000" },
  },
};

const USAGE = `node scripts/long-tests.mjs NAME, a name of: ${Object.keys(LONG).join(", ")}`;
const [name, ...others] = process.argv.slice(2);
if (name === "--help" || name === "-h") {
  console.log(USAGE);
  process.exit(0);
}
const chosen = Object.hasOwn(LONG, name ?? "") ? LONG[name] : undefined;
if (chosen === undefined || others.length > 0) {
  const wrong = chosen === undefined ? name : others[0];
  console.error(`${wrong === undefined ? "no name" : JSON.stringify(wrong)} is not one; ${USAGE}`);
  process.exit(2);
}
const root = fileURLToPath(new URL("..", import.meta.url));
const ofProcesses = chosen.files.some((file) => file.startsWith("test/processes/"));
// At their full length they are too heavy to run beside each other.
const words = ofProcesses ? ["--no-file-parallelism", ...chosen.files] : chosen.files;
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/vitest/vitest.mjs`, "run", ...words],
  { cwd: root, stdio: "inherit", env: { ...chosen.env, ...process.env } },
);
process.exit(status ?? 1);

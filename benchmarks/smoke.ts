/**
 * `npm run bench:smoke [-- --only GROUP] [--json FILE] [--seconds N]`: small benchmarks beside the
 * floor of this machine, in the same run. Ratios travel between machines; absolute figures do not.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { diskGroup } from "./groups/disk.ts";
import { durableGroup } from "./groups/durable.ts";
import { dynamoGroup } from "./groups/dynamo.ts";
import { floorGroup } from "./groups/floor.ts";
import { raftGroup } from "./groups/raft.ts";
import { repairGroup } from "./groups/repair.ts";
import { transportGroup } from "./groups/transport.ts";
import { tunableGroup } from "./groups/tunable.ts";
import { formatTable, type Measurement } from "./support/measurement.ts";

const GROUPS = Object.freeze({
  floor: floorGroup,
  transport: transportGroup,
  tunable: tunableGroup,
  disk: diskGroup,
  durable: durableGroup,
  raft: raftGroup,
  dynamo: dynamoGroup,
  repair: repairGroup,
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      json: { type: "string" },
      seconds: { type: "string", default: "2" },
      help: { type: "boolean", default: false },
    },
  });
  const names = Object.keys(GROUPS) as (keyof typeof GROUPS)[];
  if (values.help) {
    process.stdout.write(
      `npm run bench:smoke [-- --only GROUP] [--json FILE] [--seconds N]\ngroups: ${names.join(", ")}\n`,
    );
    return;
  }
  const chosen = values.only === undefined ? names : names.filter((name) => name === values.only);
  if (chosen.length === 0) {
    process.stderr.write(`no group ${values.only}; groups: ${names.join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds <= 30)) {
    process.stderr.write(`--seconds ${values.seconds}: a number above 0, up to 30\n`);
    process.exitCode = 2;
    return;
  }
  const measured: Measurement[] = [];
  for (const name of chosen) {
    process.stdout.write(`${name} …\n`);
    for (const row of await GROUPS[name]({ seconds, earlier: measured })) {
      if (!measured.some((other) => other.name === row.name && other.inFlight === row.inFlight)) {
        measured.push(row);
      }
    }
  }
  process.stdout.write(`${formatTable(measured)}\n`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(measured, undefined, 2)}\n`);
    process.stdout.write(`written to ${values.json}\n`);
  }
}

await main();

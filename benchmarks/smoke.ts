/**
 * `npm run bench:smoke [-- --only GROUP,…] [--json FILE] [--seconds N]`: small benchmarks beside the
 * floor of this machine, in the same run. Ratios travel between machines; absolute figures do not.
 */
import { writeFileSync } from "node:fs";
import { diskGroup } from "./groups/disk.ts";
import { durableGroup } from "./groups/durable.ts";
import { dynamoGroup } from "./groups/dynamo.ts";
import { floorGroup } from "./groups/floor.ts";
import { raftGroup } from "./groups/raft.ts";
import { repairGroup } from "./groups/repair.ts";
import { transportGroup } from "./groups/transport.ts";
import { tunableGroup } from "./groups/tunable.ts";
import { formatTable } from "./support/measurement.ts";
import { Results } from "./support/results.ts";
import { scriptOptions } from "./support/script-options.ts";

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
  const names = Object.keys(GROUPS) as (keyof typeof GROUPS)[];
  const values = scriptOptions({
    name: "npm run bench:smoke",
    options: {
      only: { type: "names", allowed: names },
      seconds: { type: "number", least: 0.1, most: 30, default: 1.5 },
      json: { type: "file" },
    },
  });
  const { seconds } = values;
  const chosen = names.filter((name) => values.only.includes(name));
  const results = new Results();
  for (const name of chosen) {
    process.stdout.write(`${name} …\n`);
    await GROUPS[name]({ seconds, results });
  }
  const measured = results.measurements();
  process.stdout.write(`${formatTable(measured)}\n`);
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(measured, undefined, 2)}\n`);
    process.stdout.write(`written to ${values.json}\n`);
  }
}

await main();

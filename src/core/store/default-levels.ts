import type { Engine } from "../contracts/strategy.ts";
import { countOfLevel, type Level } from "../model/levels.ts";
import type { DefaultLevels } from "./operation-maker.ts";

/** The levels of calls that name none: as the keyspace's settings say, among what its engine offers. */
export function defaultLevelsOf(
  { capabilities }: Engine,
  { read, write }: Readonly<Record<string, unknown>>,
): DefaultLevels {
  const { readLevels, writeLevels, countLevels } = capabilities;
  const takesCounts = countLevels === true;
  return {
    read: pick(readLevels, read, takesCounts),
    write: pick(writeLevels, write, takesCounts),
  };
}

function pick(offered: readonly Level[], wanted: unknown, takesCounts: boolean): Level {
  const isCount = takesCounts && countOfLevel(String(wanted)) !== undefined;
  if (isCount) return wanted as Level;
  const level = offered.find((each) => each === wanted);
  return level ?? (offered.includes("quorum") ? "quorum" : (offered[0] as Level));
}

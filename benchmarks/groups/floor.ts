import { startChild, stopChild } from "../support/child-process.ts";
import { FloorLeader } from "../support/floor-leader.ts";
import { dialTcp, type FloorLink, joinNats } from "../support/floor-link.ts";
import {
  closedLoop,
  FLOOR_NAME,
  type Group,
  type Measurement,
  measurementOf,
} from "../support/measurement.ts";

const FOLLOWERS: readonly string[] = Object.freeze(["n2", "n3"]);

export interface FloorOptions {
  readonly seconds: number;
  /** Of the server; undefined: TCP. */
  readonly natsUrl?: string | undefined;
  /** Where the three keep their logs; undefined: nothing is written. */
  readonly folder?: string | undefined;
}

/** The floor in memory over TCP: see docs/performance.md. */
export const floorGroup: Group = ({ seconds }) => measureFloor(FLOOR_NAME, { seconds });

/** A leader here, two followers in processes of their own, and nothing that they could do without. */
export async function measureFloor(
  name: string,
  { seconds, natsUrl, folder }: FloorOptions,
): Promise<readonly Measurement[]> {
  const script = new URL("../support/floor-follower.ts", import.meta.url);
  const logOf = (node: string) =>
    folder === undefined ? undefined : `${folder}/floor-${node}.log`;
  const followers = await Promise.all(
    FOLLOWERS.map((node) => {
      const log = logOf(node);
      return startChild(script, [natsUrl ?? "tcp", node, ...(log === undefined ? [] : [log])]);
    }),
  );
  const links: FloorLink[] = await Promise.all(
    followers.map(({ message }, at) =>
      natsUrl === undefined
        ? dialTcp(message as number)
        : joinNats(natsUrl, `floor.${FOLLOWERS[at]}.there`, `floor.${FOLLOWERS[at]}.back`),
    ),
  );
  const leader = new FloorLeader(links, logOf("n1"));
  const rows = [];
  for (const inFlight of [1, 64]) {
    const result = await closedLoop(inFlight, seconds, (_index, done) => leader.start(done));
    rows.push(measurementOf(name, inFlight, result));
  }
  await Promise.all(links.map((link) => link.close()));
  leader.close();
  await Promise.all(followers.map(({ child }) => stopChild(child)));
  return rows;
}

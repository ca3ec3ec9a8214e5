/**
 * The leader of the floor, in a process of its own: `floor-process.ts LEADER`, a `LeaderOptions` as
 * JSON. Loads itself when it is asked to.
 */
import { answerQuestions } from "./asked-process.ts";
import type { FloorQuestion, LeaderOptions } from "./floor-cluster.ts";
import { FloorLeader } from "./floor-leader.ts";
import { dialTcp, joinNats } from "./floor-link.ts";
import { closedLoop } from "./load-loop.ts";
import { reportOf } from "./store-load.ts";

const { followers, natsUrl, log }: LeaderOptions = JSON.parse(process.argv[2] ?? "{}");
const links = await Promise.all(
  followers.map(({ name, port }) =>
    natsUrl === undefined
      ? dialTcp(port)
      : joinNats(natsUrl, `floor.${name}.there`, `floor.${name}.back`),
  ),
);
const leader = new FloorLeader(links, log);
answerQuestions<FloorQuestion>(async ({ inFlight, durationMs }) =>
  reportOf(await closedLoop(inFlight, durationMs, (done) => leader.start(done))),
);
process.send?.("ready");
process.on("disconnect", () => process.exit(0));

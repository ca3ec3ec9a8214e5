import { environmentConformance } from "../../src/conformance/environment.ts";
import { MachineClock, SimEnvironment, VirtualTime } from "../../src/simulation/index.ts";
import { Trace } from "../../src/simulation/trace.ts";
import { bindSuite } from "../support/bind-suite.ts";

const time = new VirtualTime();
const open = (): SimEnvironment =>
  new SimEnvironment({
    ...{ time, clock: new MachineClock(time), trace: new Trace(), seed: 7, number: 0 },
  });

bindSuite(
  "a simulated machine",
  environmentConformance({ clock: open(), seeded: true, open }),
  time,
);

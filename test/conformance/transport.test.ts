import { describe, test } from "vitest";
import { transportConformance } from "../../src/conformance/index.ts";
import { MEMORY, tcpOptions } from "../unit/transports/testbeds.ts";

for (const options of [MEMORY, tcpOptions()]) {
  const suite = transportConformance(options);
  describe(suite.name, () => {
    for (const each of suite.cases) test(each.name, each.run, 30_000);
  });
}

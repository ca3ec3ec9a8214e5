import { describe, test } from "vitest";
import { transportConformance } from "../../src/conformance/index.ts";
import { MEMORY, tcpOptions, tlsOf } from "../unit/transports/testbeds.ts";

const TLS = tcpOptions("127.0.0.1", (node) => ({ tls: tlsOf(node) }));

for (const options of [MEMORY, tcpOptions(), TLS]) {
  const suite = transportConformance(options);
  describe(suite.name, () => {
    for (const each of suite.cases) test(each.name, each.run, 30_000);
  });
}

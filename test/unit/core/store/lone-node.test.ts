import { expect, test } from "vitest";
import { capstanModule } from "../../../../src/core/store/modules.ts";
import { openStore } from "../../../../src/open-store.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();
const disk = new PersistentMemoryDisk();

function open() {
  return openStore(
    {
      cluster: { nodes: ["n1"] },
      storage: { type: "kept" },
      keyspaces: { default: { strategy: "tunable", replicas: 1, shards: 2 } },
    },
    {
      node: "n1",
      environment: new VirtualEnvironment({ time }),
      modules: [capstanModule({ storages: { kept: disk.factory } })],
    },
  );
}

// The first call used to be refused: the id of the cluster was not on the disk yet.
test("a node without others serves as soon as it is open, the first time and after a crash", async () => {
  await runVirtually(
    time,
    (async () => {
      const first = await open();
      await first.keyspace("default").put("key", "value");
      disk.crash();
      const again = await open();
      const read = await again.keyspace("default").get("key");
      expect(read).toMatchObject({ found: true, value: "value" });
      await again.close();
    })(),
  );
});

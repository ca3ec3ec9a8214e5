import { ContainerModule } from "inversify";
import { describe, expect, it } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { StorageFactory } from "../../../../src/core/contracts/storage.ts";
import { separatePlugIns } from "../../../../src/core/store/handed-over.ts";
import {
  boundNames,
  capstanModule,
  createContainer,
  findPlugIn,
  IDENTIFIERS,
} from "../../../../src/core/store/modules.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";
import { fakeStrategy } from "./fake-engine.ts";

const environment = new VirtualEnvironment();
const storage = (): StorageFactory => () => Promise.reject(new Error("never opened"));

function containerOf(...modules: ContainerModule[]) {
  return createContainer({ environment, observer: SILENT_OBSERVER, modules });
}

describe("modules", () => {
  it("bind by kind and name, and the last one wins", async () => {
    const first = storage();
    const second = storage();
    const container = await containerOf(
      capstanModule({ storages: { disk: first, other: first } }),
      capstanModule({ storages: { disk: second } }),
    );
    expect(findPlugIn(container, "storage", "disk")).toBe(second);
    expect(findPlugIn(container, "storage", "other")).toBe(first);
    expect(findPlugIn(container, "transport", "disk")).toBeUndefined();
    expect(boundNames(container, "storage")).toEqual(["disk", "other"]);
    expect(boundNames(container, "resolver")).toEqual([]);
  });

  it("of Inversify itself can use what the store has", async () => {
    const container = await containerOf(
      new ContainerModule(({ bind }) => {
        bind(IDENTIFIERS.strategy)
          .toResolvedValue(
            (given) => ({ ...fakeStrategy([]), name: `at ${given.monotonicMs()}` }),
            [IDENTIFIERS.environment],
          )
          .whenNamed("mine");
      }),
    );
    expect(findPlugIn(container, "strategy", "mine")?.name).toBe("at 0");
  });

  it("of two stores know nothing of each other", async () => {
    const one = await containerOf(capstanModule({ storages: { disk: storage() } }));
    const two = await containerOf();
    expect(boundNames(one, "storage")).toEqual(["disk"]);
    expect(findPlugIn(two, "storage", "disk")).toBeUndefined();
  });
});

describe("plug-ins handed over as objects", () => {
  it("leave plain data behind", () => {
    const transport = () => undefined as never;
    const strategy = fakeStrategy([]);
    const { plain, handedOver } = separatePlugIns({
      transport,
      storage: { type: "memory" },
      keyspaces: { a: { strategy, replicas: 1 }, b: { strategy: "tunable" } },
    });
    expect(plain).toEqual({
      transport: { type: "(object)" },
      storage: { type: "memory" },
      keyspaces: { a: { strategy: "fake", replicas: 1 }, b: { strategy: "tunable" } },
    });
    expect(handedOver.transport).toBe(transport);
    expect(handedOver.storage).toBeUndefined();
    expect([...handedOver.strategies]).toEqual([["a", strategy]]);
  });

  it("have to be strategies", () => {
    const strategy = { name: "half" };
    expect(() => separatePlugIns({ keyspaces: { a: { strategy } } })).toThrow(
      /keyspaces\.a\.strategy is an object that is no strategy/,
    );
  });

  it("leave what is no configuration to those who check it", () => {
    expect(separatePlugIns(5).plain).toBe(5);
    expect(separatePlugIns({ keyspaces: [] }).plain).toEqual({ keyspaces: [] });
  });
});

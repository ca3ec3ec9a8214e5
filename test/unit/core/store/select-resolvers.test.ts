import { ContainerModule } from "inversify";
import { expect, test } from "vitest";
import { builtIns } from "../../../../src/built-ins.ts";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Resolver } from "../../../../src/core/contracts/resolver.ts";
import { resolveConfiguration } from "../../../../src/core/model/configuration.ts";
import { separatePlugIns } from "../../../../src/core/store/handed-over.ts";
import { capstanModule, createContainer, IDENTIFIERS } from "../../../../src/core/store/modules.ts";
import { selectPlugIns } from "../../../../src/core/store/select-plug-ins.ts";
import { defineResolver } from "../../../../src/resolvers/define-resolver.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";
import { fakeStrategy } from "./fake-engine.ts";

function resolverNamed(name: string): Resolver {
  return defineResolver({ name, siblings: true, resolve: () => ({ type: "siblings" }) });
}

const BOUND = resolverNamed("bound");
const DIRECT = resolverNamed("direct");
const GIVEN = resolverNamed("given");

/** What a strategy that keeps versions apart finds under `resolver`. */
async function found(resolver: string | object): Promise<unknown> {
  const container = await createContainer({
    environment: new VirtualEnvironment(),
    observer: SILENT_OBSERVER,
    modules: [
      builtIns(),
      capstanModule({ resolvers: { mine: BOUND }, strategies: { apart: fakeStrategy([]) } }),
      new ContainerModule(({ bind }) => {
        bind(IDENTIFIERS.resolver).toConstantValue(DIRECT).whenNamed("direct");
      }),
    ],
  });
  const keyspaces = { k: { strategy: "apart", resolver } };
  const { plain, handedOver } = separatePlugIns({ keyspaces });
  const selected = selectPlugIns(resolveConfiguration(plain), handedOver, container);
  return selected.strategies.get("k")?.settings.resolver;
}

test.each([
  ["by an object", GIVEN, GIVEN],
  ["by the name that a module of the user's binds", "mine", BOUND],
  ["by the name of a binding of Inversify's own", "direct", DIRECT],
])("a keyspace has its resolver %s", async (_how, resolver, expected) => {
  expect(await found(resolver)).toBe(expected);
});

test.each([
  ...["lww", "version-vector", "union", "g-counter", "pn-counter", "g-set", "or-set"],
  ...["lww-register", "mv-register", "flag", "or-map"],
])("%s is built in, under its own name", async (name) => {
  expect(await found(name)).toMatchObject({ name });
});

test("nodes that name different resolvers have different digests", () => {
  const digestOf = (resolver: string | object): string => {
    const { plain } = separatePlugIns({ keyspaces: { k: { strategy: "apart", resolver } } });
    return resolveConfiguration(plain).digest;
  };
  expect(digestOf("or-set")).not.toBe(digestOf("g-set"));
  expect(digestOf(GIVEN)).not.toBe(digestOf(DIRECT));
  expect(digestOf(GIVEN)).toBe(digestOf(resolverNamed("given")));
});

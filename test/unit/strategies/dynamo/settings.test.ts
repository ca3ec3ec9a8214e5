import { describe, expect, test } from "vitest";
import { type CapstanError, isCapstanError } from "../../../../src/core/model/errors.ts";
import { parseDynamoSettings } from "../../../../src/strategies/dynamo/settings.ts";
import { deadlineOfLevel } from "../../../../src/strategies/leaderless/level-settings.ts";

const PATH = "keyspaces.carts";

function refusalOf(options: Readonly<Record<string, unknown>>, replicas = 3): CapstanError {
  try {
    parseDynamoSettings(options, PATH, replicas);
  } catch (error) {
    if (isCapstanError(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("settings of a dynamo keyspace", () => {
  test("default to quorums and availability", () => {
    expect(parseDynamoSettings({}, PATH)).toMatchObject({
      read: "quorum",
      write: "quorum",
      partitionPolicy: "prefer-availability",
      deadlinesMs: { one: 50, quorum: 200, all: 1_000 },
      rebuildDelayMs: 1_000,
      resolver: undefined,
    });
  });

  test.each([
    [1, 3, "one"],
    [2, 3, "two"],
    [3, 3, "three"],
    [4, 7, "quorum"],
    [7, 7, "all"],
    [4, 5, "4"],
    [6, 7, "6"],
  ])("%i of %i replicas is %s", (count, replicas, level) => {
    expect(parseDynamoSettings({ read: count, write: count }, PATH, replicas)).toMatchObject({
      read: level,
      write: level,
    });
  });

  test.each([0, -1, 1.5, 4, Number.NaN, "strong", "lease", "", null])(
    "%s is no level of three replicas, and the message says which there are",
    (read) => {
      const { message, allowed } = refusalOf({ read });
      expect(message).toContain(`${PATH}.read`);
      expect(allowed).toEqual(expect.arrayContaining(["one", "quorum", "all", 1, 2, 3]));
      expect(allowed).not.toContain("strong");
    },
  );

  test("local-quorum needs a replica in every datacenter", () => {
    const options = { read: "local-quorum", write: "each_quorum" };
    expect(parseDynamoSettings(options, PATH, 2, 2)).toMatchObject({
      read: "local-quorum",
      write: "each-quorum",
    });
    expect(() => parseDynamoSettings(options, PATH, 2, 3)).toThrow(
      `${PATH}.read: "local-quorum" is a level that 2 replicas over 3 datacenters cannot meet`,
    );
  });

  test("a number has the deadline of its name, and above three that of all", () => {
    const { deadlinesMs } = parseDynamoSettings({}, PATH, 7);
    expect(
      ["1", "2", "3", "4", "quorum"].map((level) => deadlineOfLevel(level as "4", deadlinesMs)),
    ).toEqual([50, 200, 200, 1_000, 200]);
  });

  test("a level that its replicas can never meet is refused", () => {
    expect(refusalOf({ write: "three" }, 2).message).toContain("2 replicas");
  });

  test.each([
    [{ partitionPolicy: "prefer-nothing" }, "partitionPolicy"],
    [{ deadlines: [] }, "deadlines"],
    [{ deadlines: { strong: "1s" } }, "deadlines.strong"],
    [{ deadlines: { one: "2h" } }, "deadlines.one"],
    [{ reads: 1 }, "reads"],
  ])("%j is refused, naming %s", (options, name) => {
    expect(refusalOf(options).message).toContain(`${PATH}.${name}`);
  });

  test("words of HTTP are understood", () => {
    const settings = parseDynamoSettings({ partitionPolicy: "prefer_consistency" }, PATH);
    expect(settings.partitionPolicy).toBe("prefer-consistency");
  });
});

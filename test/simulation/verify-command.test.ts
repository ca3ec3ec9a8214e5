import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planCluster } from "../../src/cli/local-cluster/plan-cluster.ts";
import { fakeSurroundings, type Ran, run } from "../unit/cli/fake-surroundings.ts";

let directory: string;
let modules = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "capstan-verify-"));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(file: string, text: string): void {
  writeFileSync(join(directory, file), text);
}

function verify(...words: string[]): Promise<Ran> {
  return run(["verify", ...words], fakeSurroundings({ directory }));
}

/** Three nodes over NATS, on disk, with one keyspace. */
function configure(keyspace: object, nodes = ["n1", "n2", "n3"], name = "profiles"): string {
  const file = "capstan.config.json";
  const storage = { type: "disk", path: "./data" };
  const configuration = {
    ...{ cluster: { nodes }, transport: { type: "nats" }, storage },
    keyspaces: { [name]: keyspace },
  };
  write(file, JSON.stringify(configuration));
  return file;
}

/** A schema without a shape, as the text of a module. */
function schemaOf(condition: string): string {
  return `{ "~standard": { version: 1, vendor: "test", validate: (value) =>
    ${condition} ? { value } : { issues: [{ message: "refused" }] } } }`;
}

/** As a module, for what JSON cannot hold. */
function configureModule(keyspace: string): string {
  modules += 1;
  // Another one each time: a module is loaded once.
  const file = `configuration-${modules}.mjs`;
  write(
    file,
    `export default { cluster: { nodes: ["n1", "n2", "n3"] }, transport: { type: "nats" },
      storage: { type: "disk", path: "./data" }, keyspaces: { profiles: ${keyspace} } };`,
  );
  return file;
}

/** Without what tables are drawn with, and without line ends. */
function flat(text: string): string {
  return text.replaceAll(/[│┌┐└┘├┤┬┴┼─\s]+/g, " ");
}

describe("capstan verify", () => {
  test("the configuration of npm start keeps what it promises", async () => {
    const { configuration } = planCluster({
      ...{ nodes: undefined, transport: undefined, storage: undefined },
      ...{ dataFolder: directory, httpPort: 8401 },
    });
    write("start.json", JSON.stringify(configuration));
    const ran = await verify("--config", "start.json", "--seeds", "1");
    expect(ran.exitCode).toBe(0);
    const text = flat(ran.stdout);
    expect(text).toContain("default quorum * regular, read-your-writes, monotonic-writes,");
    // One datacenter is simulated, and its majority is one of all.
    expect(text).toContain("default local-quorum regular, read-your-writes, monotonic-writes,");
    expect(text).toMatch(/counters quorum \* operations-add-up, .*every-increment-counts counters/);
    expect(text).toMatch(/carts quorum \* operations-add-up, .*sees-acknowledged carts/);
    expect(text).toMatch(/accounts strong \* .*conditional-writes, .*all-or-nothing accounts/);
    expect(text).toMatch(/default quorum \* .*batch-per-key default/);
    expect(text).not.toContain("VIOLATED");
    expect(text).not.toContain("proved");
    expect(text).toMatch(/\d+ histories, \d+ s simulated, \d+ faults, .* no violation found\./);
  });

  test("reads and writes that need not meet are not strong, and a history shows it", async () => {
    const file = configure({ read: "one", write: "one" });
    const ran = await verify("--config", file, "--seeds", "3");
    // Nothing that is promised was broken.
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toMatch(
      /no violation found\.\nWhat is not promised was broken .*: profiles\.\n$/,
    );
    const text = flat(ran.stdout);
    expect(text).toMatch(
      /profiles one \* regular broken in [123] of 3 histories, first by seed \d/,
    );
    expect(text).toContain("profiles at one *: regular is not promised, and broken; seed");
    expect(ran.stdout).toMatch(/get ".*" -> .* <==/);
    expect(text).toContain(
      "reads at one (R = 1) and writes at one (W = 1) of N = 3 copies: R + W <= N, so a read may " +
        "miss a write that was acknowledged",
    );
    expect(ran.stdout).toMatch(
      /verify --config capstan\.config\.json --keyspace profiles --seed \d --seeds 1/,
    );
  });

  test("two replicas that are to survive a loss are said not to", async () => {
    const file = configure({ replicas: 2 }, ["n1", "n2"]);
    const { stdout } = await verify("--config", file, "--seeds", "1");
    expect(flat(stdout)).toContain("two copies do not survive a loss: a majority of two is two");
    expect(flat(stdout)).toContain("(its own levels are among those)");
  });

  test.each([
    ["os", "a power cut takes the latest writes of that machine"],
    ["memory", "a process that ends takes its copies of it along"],
  ])("durability %s is said to lose", async (durability, sentence) => {
    const { stdout } = await verify("--config", configure({ durability }), "--seeds", "1");
    expect(flat(stdout)).toContain(sentence);
  });

  test("a numeric schema under the last writer's rule loses increments, and says how many", async () => {
    const file = configureModule(`{ schema: ${schemaOf('typeof value === "number"')} }`);
    const { stdout } = await verify("--config", file, "--seed", "5", "--seeds", "4");
    const text = flat(stdout);
    expect(text).toContain(
      "its schema takes numbers, which look like counts, and the last writer wins",
    );
    expect(text).toMatch(/profiles quorum \* every-increment-counts broken in \d of 4 histories/);
    expect(text).toMatch(
      /\d+ increments of "count\/quorum\/1" were acknowledged, .*: \d+ are lost\./,
    );
  });

  test("so does any keyspace with --workload counter, at strong too", async () => {
    const file = configure({ read: "strong", write: "strong" });
    const words = ["--config", file, "--workload", "counter", "--seed", "5", "--seeds", "4"];
    const { stdout } = await verify(...words);
    expect(flat(stdout)).toContain("it is to count, and the last writer wins");
    expect(flat(stdout)).toMatch(/profiles strong \* every-increment-counts broken in \d of 4/);
    expect(stdout).toMatch(/--keyspace profiles --workload counter --seed \d --seeds 1/);
  });

  test("a schema that takes no numbers cannot be counted in", async () => {
    const file = configureModule(`{ schema: ${schemaOf('typeof value === "string"')} }`);
    const ran = await verify("--config", file, "--workload", "counter", "--seeds", "1");
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("which the schema of keyspace profiles refuses");
  });

  test("a schema that takes nothing that is drawn is left out, and that is said", async () => {
    const file = configureModule(`{ schema: ${schemaOf("value?.secret === 42")} }`);
    const ran = await verify("--config", file, "--seeds", "1");
    expect(ran.exitCode).toBe(0);
    expect(flat(ran.stdout)).toContain("was verified without the schema, with plain text");
  });
});

const STRATEGY = fileURLToPath(
  new URL("../../src/strategies/tunable/tunable-strategy.ts", import.meta.url),
);

describe("a strategy that breaks its promises", () => {
  const hostile = "<b onclick=1>";

  /** Values hold what a page must not take for its own. */
  function configureBroken(): string {
    modules += 1;
    const file = `broken-${modules}.ts`;
    const shape = {
      type: "object",
      properties: { a: { const: hostile }, b: { type: "integer" } },
      required: ["a", "b"],
    };
    write(
      file,
      `import { makeTunableStrategy } from ${JSON.stringify(STRATEGY)};
      const schema = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }),
        jsonSchema: { input: () => (${JSON.stringify(shape)}) } } };
      const strategy = makeTunableStrategy({ oneAnswerLess: true });
      export default { cluster: { nodes: ["n1", "n2", "n3"] }, transport: { type: "nats" },
        keyspaces: { profiles: { strategy, schema } } };`,
    );
    return file;
  }

  test("is found out, with code 1, the seed, the operations and the command", async () => {
    const file = configureBroken();
    const words = ["--config", file, "--seeds", "2", "--report", "page.html"];
    const ran = await verify(...words);
    expect(ran.exitCode).toBe(1);
    expect(flat(ran.stdout)).toMatch(
      /(linearizable|regular) VIOLATED in \d of 2 histories, first by seed \d/,
    );
    expect(ran.stdout).toMatch(
      /profiles at [a-z-]+( \*)?: (linearizable|regular) is violated; seed \d/,
    );
    expect(ran.stdout).toMatch(/\d promises violated\./);
    const page = readFileSync(join(directory, "page.html"), "utf8");
    expect(page).toContain('class="bar read violated"');
    expect(page).toContain("promised, and violated");
    expect(page).toContain('<text class="node"');
    expect(page).toMatch(/<g class="fault">/);
    expect(page).not.toMatch(/<script|https?:\/\/|src=/);
    expect(page).toContain("&lt;b onclick=1&gt;");
    expect(page).not.toContain(hostile);
  });

  test("gives the same as one JSON object", async () => {
    const file = configureBroken();
    const ran = await verify("--config", file, "--seeds", "1", "--json");
    expect(ran).toMatchObject({ exitCode: 1, stderr: "" });
    const { guarantees, ...rest } = JSON.parse(ran.stdout);
    expect(rest).toMatchObject({ verdict: "violated", interrupted: false, histories: 1 });
    const violated = guarantees.find(
      (each: { guarantee: string; promised: boolean; broken: number }) =>
        each.guarantee === "regular" && each.promised && each.broken > 0,
    );
    expect(violated).toMatchObject({
      keyspace: "profiles",
      histories: 1,
      seed: 1,
      repeat: expect.stringContaining("--seed 1 --seeds 1"),
      counterexample: {
        operations: expect.arrayContaining([expect.objectContaining({ type: "get" })]),
        violated: expect.objectContaining({ type: "get", outcome: "applied" }),
      },
    });
  });
});

describe("a merge function that breaks its laws", () => {
  function configureMerge(): string {
    const resolvers = new URL("../../src/resolvers/index.ts", import.meta.url).href;
    modules += 1;
    const file = `merging-${modules}.mjs`;
    write(
      file,
      `import { merge } from ${JSON.stringify(resolvers)};
      export default { cluster: { nodes: ["n1", "n2", "n3"] }, transport: { type: "nats" },
        keyspaces: { notes: { strategy: "dynamo", resolver: merge((all) => all.join("+")) } } };`,
    );
    return file;
  }

  test("is a violation, with code 1 and the example, and never no violation found", async () => {
    const words = ["--config", configureMerge(), "--seeds", "1", "--report", "laws.html"];
    const ran = await verify(...words);
    expect(ran.exitCode).toBe(1);
    expect(flat(ran.stdout)).toMatch(/notes - resolver-laws VIOLATED: 1 of \d laws/);
    expect(ran.stdout).toContain("→ in two steps it is:");
    expect(ran.stdout).toMatch(/operations checked, 1 resolver breaks its laws\.$/m);
    const page = readFileSync(join(directory, "laws.html"), "utf8");
    expect(page).toContain("1 resolver breaks its laws.</p>");
    expect(page).not.toMatch(/checked, no violation found/);
  });

  test("is in the JSON object, with the verdict", async () => {
    const ran = await verify("--config", configureMerge(), "--seeds", "1", "--json");
    expect(ran.exitCode).toBe(1);
    const { verdict, resolvers } = JSON.parse(ran.stdout);
    expect(verdict).toBe("violated");
    expect(resolvers).toMatchObject([
      { keyspace: "notes", ok: false, broken: [{ law: "resolve is associative" }] },
    ]);
  });
});

describe("what is wrong is said before anything runs", () => {
  test("a keyspace that is not there", async () => {
    const ran = await verify("--config", configure({}), "--keyspace", "carts");
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain('no keyspace "carts" in the configuration; it declares: profiles');
  });

  test("a configuration that openStore refuses", async () => {
    const ran = await verify("--config", configure({ read: "most" }));
    expect(ran.exitCode).toBe(2);
    expect(ran.stderr).toContain("keyspaces.profiles.read");
  });

  test("a report that cannot be written", async () => {
    const words = ["--config", configure({}), "--seeds", "1000000"];
    const ran = await verify(...words, "--report", "no/such/folder.html");
    expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
    expect(ran.stderr).toContain("no/such/folder.html cannot be written");
  });
});

test("Ctrl-C ends it after a history, with what was found so far, and code 130", async () => {
  const surroundings = fakeSurroundings({ directory });
  const { environment, interruption } = surroundings;
  const soon = environment.soon.bind(environment);
  let histories = 0;
  environment.soon = (callback) => {
    histories += 1;
    if (histories === 3) interruption.request("SIGINT");
    soon(callback);
  };
  const words = ["verify", "--config", configure({ read: "one", write: "one" }), "--seeds", "50"];
  const ran = await run(words, surroundings);
  expect(ran.exitCode).toBe(130);
  expect(flat(ran.stdout)).toContain("no violation found in 2 histories");
  expect(ran.stdout).toMatch(/\ninterrupted: 2 of 50 histories, /);
  expect(ran.stdout).toMatch(/\nanswered under faults: profiles \d+ %\n/);
});

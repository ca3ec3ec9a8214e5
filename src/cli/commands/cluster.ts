import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { CommandRunner } from "../command-runner.ts";
import { loadConfiguration } from "../load-configuration.ts";
import { loadResolvers } from "../load-resolvers.ts";
import { checkPortsAreFree } from "../local-cluster/free-ports.ts";
import { LocalCluster } from "../local-cluster/local-cluster.ts";
import { startLocalNatsServer } from "../local-cluster/local-nats-server.ts";
import { type ClusterPlan, planCluster, withNatsServer } from "../local-cluster/plan-cluster.ts";
import { unusedDataNotice } from "../local-cluster/unused-data.ts";
import { writeConfiguration } from "../local-cluster/write-configuration.ts";
import { shortPath } from "../own-command.ts";
import { endOfPackageManager } from "../parent-process.ts";
import { countOption } from "../parse-options.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { packageVersion } from "../version.ts";

const DATA_FOLDER = "data";

interface ClusterOptions {
  readonly nodes?: number;
  readonly transport?: string;
  readonly storage?: string;
  readonly dir: string;
  readonly httpPort: number;
  readonly peerPort?: number;
  readonly natsUrl?: string;
  readonly config?: string;
}

const EXAMPLES = `
Examples:
  $ capstan cluster
  $ capstan cluster --nodes 5 --http-port 9401 --peer-port 9501
  $ capstan cluster --config capstan.config.ts     # its keyspaces, on this machine
  $ capstan cluster --transport nats               # with a NATS server of its own
  $ capstan cluster --transport nats --nats-url nats://127.0.0.1:4222

The nodes n1, n2, … are processes of their own on 127.0.0.1, with ports counted up from the two
given ones. A keyspace that does not say how many replicas it has gets one per node, at most 5. The
configuration that runs is written to DIR/capstan.config.json, and the nodes' data to DIR/data: the
next start goes on with it. To begin anew, remove DIR; for nothing kept at all, --storage memory. A
node that dies is not restarted: the line that brings it back is printed.

With --transport nats and without --nats-url or transport.servers, a NATS server is started on a
free port and ends with the cluster. It is the program that NATS_SERVER_BIN names, nats-server of
the PATH, or one that is fetched: from its container image where Docker answers and testcontainers
is installed, or from the distribution's package, unpacked into a cache folder.`;

export function addClusterCommand(program: Command, runner: CommandRunner): void {
  program
    .command("cluster")
    .description("run a cluster on this machine, each node a process of its own")
    .option("--nodes <count>", "how many nodes (default: 3)", countOption(1, 32))
    .option("--transport <type>", "how nodes reach each other: tcp or nats (default: tcp)")
    .option("--storage <type>", "where nodes keep their data: disk or memory (default: disk)")
    .option("--dir <folder>", "folder of the data and of the configuration that runs", ".capstan")
    .option("--http-port <port>", "HTTP port of n1", countOption(1, 65_535), 8401)
    .option(
      "--peer-port <port>",
      "port of n1 for its peers, over tcp (default: 7401)",
      countOption(1, 65_535),
    )
    .option("--nats-url <url>", "NATS server to use (default: one is started)")
    .option("--config <file>", "configuration to start from: a .json, .js, .mjs or .ts file")
    .addHelpText("after", EXAMPLES)
    .action((options: ClusterOptions) =>
      runner.run(false, () => runCluster(options, runner.surroundings)),
    );
}

async function runCluster(options: ClusterOptions, surroundings: Surroundings): Promise<number> {
  const { directory, environment } = surroundings;
  const given = options.config ? await loadConfiguration(options.config, directory) : {};
  const { nodes, transport, storage, httpPort, peerPort, natsUrl } = options;
  const dataFolder = join(resolve(directory, options.dir), DATA_FOLDER);
  const wishes = { nodes, transport, storage, dataFolder, httpPort, peerPort, natsUrl };
  const plan = planCluster(wishes, given);
  // The parts of a store are loaded for a cluster alone: `capstan get` must not wait for them.
  const { checkConfiguration } = await import("../local-cluster/check-configuration.ts");
  await checkConfiguration(await loadResolvers(plan.configuration), environment);
  await checkPortsAreFree(plan.nodes);
  if (!plan.needsNatsServer) return runPlan(plan, options, surroundings);
  const server = await startLocalNatsServer(surroundings);
  try {
    return await runPlan(withNatsServer(plan, server.url), options, surroundings);
  } finally {
    await server.stop();
  }
}

async function runPlan(
  plan: ClusterPlan,
  options: ClusterOptions,
  surroundings: Surroundings,
): Promise<number> {
  const { directory, stdout } = surroundings;
  const folder = resolve(directory, options.dir);
  const file = await writeConfiguration(folder, plan.configuration);
  const { length } = plan.nodes;
  printLine(
    stdout,
    `capstan ${packageVersion()}: ${length} ${length === 1 ? "node" : "nodes"}, ` +
      `transport ${plan.configuration.transport?.type}, storage ${plan.configuration.storage?.type}, ` +
      `configuration ${shortPath(file, directory)}`,
  );
  for (const notice of plan.notices) printLine(stdout, notice);
  const data = join(folder, DATA_FOLDER);
  const storage = plan.configuration.storage?.type;
  const unused = await unusedDataNotice(storage, data, shortPath(data, directory));
  if (unused !== undefined) printLine(stdout, unused);
  const end = (): void => surroundings.interruption.request("the end of its parent");
  const parent = endOfPackageManager(surroundings, end);
  try {
    return await new LocalCluster(plan, file, surroundings).run();
  } finally {
    parent.forget();
  }
}

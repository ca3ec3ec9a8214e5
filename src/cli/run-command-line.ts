import { Command, CommanderError } from "commander";
import { type CommandAdder, CommandRunner } from "./command-runner.ts";
import { EXIT } from "./exit-codes.ts";
import { hasColors, paintFor } from "./paint.ts";
import { printLine, type Surroundings } from "./surroundings.ts";
import { packageVersion } from "./version.ts";

/**
 * In the order of the help. Each has a file of its own, which is loaded for it alone: `capstan put`
 * must not wait for what `capstan verify` needs.
 */
const COMMANDS: Readonly<Record<string, () => Promise<CommandAdder>>> = Object.freeze({
  cluster: async () => (await import("./commands/cluster.ts")).addClusterCommand,
  start: async () => (await import("./commands/start.ts")).addStartCommand,
  get: async () => (await import("./commands/get.ts")).addGetCommand,
  put: async () => (await import("./commands/put.ts")).addPutCommand,
  update: async () => (await import("./commands/update.ts")).addUpdateCommand,
  delete: async () => (await import("./commands/delete.ts")).addDeleteCommand,
  scan: async () => (await import("./commands/scan.ts")).addScanCommand,
  watch: async () => (await import("./commands/watch.ts")).addWatchCommand,
  load: async () => (await import("./commands/load.ts")).addLoadCommand,
  status: async () => (await import("./commands/status.ts")).addStatusCommand,
  replications: async () => (await import("./commands/facts.ts")).addReplicationsCommand,
  conflicts: async () => (await import("./commands/facts.ts")).addConflictsCommand,
  members: async () => (await import("./commands/members.ts")).addMembersCommand,
  check: async () => (await import("./commands/check.ts")).addCheckCommand,
  verify: async () => (await import("./commands/verify.ts")).addVerifyCommand,
});

const GUIDE = `
Examples:
  $ capstan cluster                           # three nodes on this machine
  $ capstan put user:123 '{"name":"John"}'
  $ capstan get user:123 --consistency strong
  $ capstan status
  $ capstan verify --config capstan.config.json

Environment: CAPSTAN_URL is the node to talk to, CAPSTAN_TLS_CA, CAPSTAN_TLS_CERT and CAPSTAN_TLS_KEY are files
for https://, CAPSTAN_TOKEN is the token to show, NO_COLOR=1 leaves colours out.
Exit codes: 0 done, 1 not applied, 2 usage, 3 not found, 4 version mismatch, 5 outcome unknown,
6 a shard does not serve (status), 130 interrupted.`;

/** One call of the command line, from its words to its exit code. */
export async function runCommandLine(
  words: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const runner = new CommandRunner(surroundings);
  const asJson = words.includes("--json");
  const program = createProgram(surroundings, asJson);
  for (const add of await commandsFor(words)) add(program, runner);
  shareSettings(program, "capstan", asJson);
  try {
    await program.parseAsync(words, { from: "user" });
    return runner.exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.done;
    if (asJson) printLine(surroundings.stdout, usageJson(error));
    return EXIT.usage;
  }
}

/** The command that the first word names; all of them for help, and to say what there is. */
function commandsFor([first = ""]: readonly string[]): Promise<CommandAdder[]> {
  if (first === "--version" || first === "-V") return Promise.resolve([]);
  const names = Object.keys(COMMANDS);
  const needed = names.includes(first) ? [first] : names;
  return Promise.all(needed.map((name) => COMMANDS[name]!()));
}

function createProgram(surroundings: Surroundings, asJson: boolean): Command {
  const { stdout, stderr, env } = surroundings;
  const paint = paintFor(stderr, env);
  return new Command("capstan")
    .description("A replicated key-value store: run nodes, read and write keys.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .addHelpText("after", GUIDE)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      getOutHasColors: () => hasColors(stdout, env),
      getErrHasColors: () => hasColors(stderr, env),
      outputError: (text, write) => {
        if (!asJson) write(text.replace(/^error:/, paint("red", "error:")));
      },
    });
}

/** Commander copies settings only to commands that are made after they are set, and not this one. */
function shareSettings(parent: Command, path: string, asJson: boolean): void {
  parent.showHelpAfterError(asJson ? false : `(${path} --help says more)`);
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent).helpOption("-h, --help", "show help");
    shareSettings(command, `${path} ${command.name()}`, asJson);
  }
}

function usageJson(error: CommanderError): string {
  const message = error.message.replace(/^error: /, "");
  return JSON.stringify({ error: { code: "USAGE", outcome: "not-applied", message } });
}

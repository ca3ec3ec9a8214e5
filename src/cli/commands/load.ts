import type { Command } from "commander";
import {
  addKeyspaceOptions,
  connectTo,
  type KeyspaceOptions,
  serverUrl,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { Loader } from "../loading/loader.ts";
import { openSource, type Source } from "../loading/open-source.ts";
import { showProgress } from "../loading/progress.ts";
import { readLines } from "../loading/read-lines.ts";
import { type LoadReport, reportLoad } from "../loading/report-load.ts";
import { type Verification, verify } from "../loading/verify.ts";
import { countOption, urlOption } from "../parse-options.ts";
import type { Surroundings } from "../surroundings.ts";

interface LoadOptions extends KeyspaceOptions {
  readonly concurrency: number;
  readonly skipBad?: boolean;
  readonly verify: boolean;
  readonly verifyUrl?: readonly string[];
}

const EXAMPLES = `
Examples:
  $ capstan load users.ndjson
  $ capstan load users.ndjson --keyspace profiles --consistency all --concurrency 16
  $ generate | capstan load -
  $ capstan load users.ndjson --verify-url http://127.0.0.1:8402 http://127.0.0.1:8403

Each line is {"key": "…", "value": …}, or what \`capstan scan --json\` has printed. At the first bad
line the load stops and says how many lines were written; --skip-bad goes on. Of lines with the same
key the last one wins. At the end every key is read back at quorum and compared.`;

export function addLoadCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("load")
    .description("write the lines of a file, and read them back to check")
    .argument("<file>", "newline-delimited JSON; - reads standard input")
    .option("--concurrency <count>", "lines under way at once", countOption(1, 1_024), 64)
    .option("--skip-bad", "pass over bad lines, and count them")
    .option("--no-verify", "do not read back")
    .option(
      "--verify-url <url...>",
      "nodes to read back from, one after the other (otherwise the one written to)",
      (text: string, earlier: readonly string[] = []) => [...earlier, urlOption(text)],
    );
  addKeyspaceOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((file: string, options: LoadOptions) =>
      runner.run(options.json, () => load(file, options, runner.surroundings)),
    );
}

async function load(
  file: string,
  options: LoadOptions,
  surroundings: Surroundings,
): Promise<number> {
  const url = serverUrl(options, surroundings.env);
  const source = await openSource(file, surroundings);
  const startMs = surroundings.environment.monotonicMs();
  const loader = await write(source, url, options, surroundings);
  const secondsWriting = (surroundings.environment.monotonicMs() - startMs) / 1_000;
  const complete =
    loader.failed.length === 0 && (loader.badLines === 0 || options.skipBad === true);
  const verifications: LoadReport["verifications"] = [];
  if (options.verify && complete) {
    for (const each of options.verifyUrl ?? [url]) {
      if (surroundings.interruption.requested) break;
      verifications.push({ url: each, ...(await readBack(each, loader, options, surroundings)) });
    }
  }
  return reportLoad({ loader, verifications, secondsWriting, complete }, options, surroundings);
}

async function write(
  source: Source,
  url: string,
  options: LoadOptions,
  surroundings: Surroundings,
): Promise<Loader> {
  const client = connectTo(options, surroundings, url);
  const keyspace = client.keyspace(options.keyspace);
  const progress = showProgress(
    { label: "loading", total: source.totalBytes, quiet: options.json === true },
    surroundings,
  );
  let doneBytes = 0;
  const loader = new Loader({
    write: (key, value, operationId) =>
      keyspace.put(key, value, {
        ...callOptions(options, surroundings),
        ...(operationId === undefined ? {} : { operationId }),
      }),
    concurrency: options.concurrency,
    skipBad: options.skipBad === true,
    remember: options.verify,
    environment: surroundings.environment,
    signal: surroundings.interruption.signal,
    onLine: (endsAt) => {
      doneBytes = Math.max(doneBytes, endsAt);
      progress.update(doneBytes, loader.written + loader.badLines);
    },
  });
  try {
    await loader.run(readLines(source.chunks));
  } finally {
    progress.end();
    source.close();
    await client.close();
  }
  return loader;
}

async function readBack(
  url: string,
  loader: Loader,
  options: LoadOptions,
  surroundings: Surroundings,
): Promise<Verification> {
  const client = connectTo(options, surroundings, url);
  const keyspace = client.keyspace(options.keyspace);
  const total = loader.expected.size;
  const progress = showProgress(
    { label: "reading back", total, quiet: options.json === true },
    surroundings,
  );
  let keys = 0;
  try {
    return await verify(loader.expected, {
      read: (key) =>
        keyspace.get(key, { ...callOptions(options, surroundings), consistency: "quorum" }),
      concurrency: options.concurrency,
      environment: surroundings.environment,
      signal: surroundings.interruption.signal,
      onKey: () => {
        keys += 1;
        progress.update(keys, keys);
      },
    });
  } finally {
    progress.end();
    await client.close();
  }
}

/** Lines under way are let to their end at the first signal, so that their outcome is known. */
function callOptions(options: LoadOptions, { interruption }: Surroundings) {
  return {
    signal: interruption.immediate,
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
    ...(options.consistency === undefined ? {} : { consistency: options.consistency }),
  };
}

import { type Command, Option } from "commander";
import type { Level } from "../../core/model/levels.ts";
import {
  atLevel,
  historyLines,
  type KeyValueOperation,
  renderTimeline,
  SUPERSEDED,
} from "../../verification/index.ts";
import {
  CHECK_MODELS,
  type CheckModel,
  type CheckReport,
  runCheck,
} from "../checking/check-models.ts";
import { readHistory } from "../checking/read-history.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { paintFor } from "../paint.ts";
import { countOption, levelOption } from "../parse-options.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface CheckOptions {
  readonly model: CheckModel;
  readonly level?: Level;
  readonly maxSteps: number;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  $ capstan check history.ndjson                       # linearizable, each key by itself?
  $ capstan check history.ndjson --level strong        # judge what was asked at strong
  $ capstan check history.ndjson --model regular
  $ capstan check history.ndjson --model monotonic-reads --json

Models:
  register             linearizable: one copy of each key would have answered the same
  batch-register       the same, with batches that write several keys at once
  regular              each read finds what was written last before it, or beside it
  read-your-writes, monotonic-reads, monotonic-writes, writes-follow-reads
                       what one client sees of its own session; they need versions

The file is what recordKeyspace of capstan/verification recorded, one operation a line. With
--level, reads at other levels are left out, and writes at other levels may take effect at any time.

Exit codes: 0 no violation, 1 violation, 2 the command line or the file is wrong, 5 not decided
within the bound, or nothing to judge.`;

export function addCheckCommand(program: Command, runner: CommandRunner): void {
  program
    .command("check")
    .description("judge a recorded history: does it keep what a level promises?")
    .argument("<file>", "history, newline-delimited JSON; - reads standard input")
    .addOption(
      new Option("--model <name>", "what to demand of it")
        .choices(CHECK_MODELS)
        .default("register"),
    )
    .option("--level <level>", "judge only what was asked at this level", levelOption)
    .option(
      "--max-steps <count>",
      "bound of the search, for each key",
      countOption(1, 1_000_000_000),
      5_000_000,
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", EXAMPLES)
    .action((file: string, options: CheckOptions) =>
      runner.run(options.json, () => check(file, options, runner.surroundings)),
    );
}

async function check(
  file: string,
  options: CheckOptions,
  surroundings: Surroundings,
): Promise<number> {
  const whole = await readHistory(file, surroundings);
  const history = options.level === undefined ? whole : atLevelOf(whole, options.level);
  const report =
    history === undefined
      ? nothingAt(options.level, whole)
      : runCheck(options.model, history, { maxSteps: options.maxSteps });
  if (options.json) printLine(surroundings.stdout, JSON.stringify(plainReport(options, report)));
  else print(report, (history ?? whole).length, surroundings);
  if (report.verdict === "unknown") return EXIT.unknown;
  return report.verdict === "legal" ? EXIT.done : EXIT.violation;
}

/** Undefined where nothing was answered at the level: to judge the rest would promise something of it. */
function atLevelOf(
  history: readonly KeyValueOperation[],
  level: Level,
): readonly KeyValueOperation[] | undefined {
  return levelsOf(history).has(level) ? atLevel(history, level) : undefined;
}

function levelsOf(history: readonly KeyValueOperation[]): ReadonlySet<string | undefined> {
  return new Set(
    history.map(({ achieved, level: asked }) =>
      achieved === SUPERSEDED ? asked : (achieved ?? asked),
    ),
  );
}

function nothingAt(level: Level | undefined, whole: readonly KeyValueOperation[]): CheckReport {
  const there = [...levelsOf(whole)].map((each) => each ?? "none");
  const has = there.join(", ") || "no operation at all";
  const sentence = `no operation was answered at level ${level}; the history has: ${has}.`;
  return { verdict: "unknown", judged: 0, sentence };
}

function print(report: CheckReport, operations: number, surroundings: Surroundings): void {
  const { stdout, env } = surroundings;
  const paint = paintFor(stdout, env);
  const color = { legal: "green", illegal: "red", unknown: "yellow" } as const;
  const verdict = paint(color[report.verdict], report.verdict);
  printLine(
    stdout,
    `${verdict}: ${report.judged} of ${operations} operations were judged: ${report.sentence}`,
  );
  const { counterexample } = report;
  if (counterexample === undefined) return;
  printLine(stdout, `\n${counterexample.sentence}\n`);
  printLine(stdout, renderTimeline(counterexample.operations, counterexample));
}

function plainReport(
  { model, level }: CheckOptions,
  { verdict, judged, steps, sentence, counterexample }: CheckReport,
): Readonly<Record<string, unknown>> {
  return {
    verdict,
    model,
    level,
    judged,
    steps,
    sentence,
    counterexample:
      counterexample === undefined
        ? undefined
        : {
            sentence: counterexample.sentence,
            operations: plainOperations(counterexample.operations),
            violated: plainOperations([counterexample.violated])[0],
          },
  };
}

/** In the fields of the file. */
function plainOperations(operations: readonly KeyValueOperation[]): readonly unknown[] {
  const [, ...lines] = historyLines(operations);
  return lines.map((line): unknown => JSON.parse(line));
}

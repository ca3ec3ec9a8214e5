/** What the options of a script may be, and what it says of those that it cannot take. */
import { closeSync, openSync } from "node:fs";
import { parseArgs } from "node:util";

interface WholeOption {
  readonly type: "whole";
  readonly least?: number;
  readonly most?: number;
  readonly default: number;
}

interface NumberOption {
  readonly type: "number";
  readonly least: number;
  readonly most: number;
  readonly default: number;
}

/** Written to when the script is done: whether it can be is found out at the start. */
interface FileOption {
  readonly type: "file";
}

/** Names out of a list, with commas between them; all, where it is not given. */
interface NamesOption {
  readonly type: "names";
  readonly allowed: readonly string[];
}

export type ScriptOption = WholeOption | NumberOption | FileOption | NamesOption;

export interface Script {
  /** As it is started: `npm run simulate`. */
  readonly name: string;
  readonly options: Readonly<Record<string, ScriptOption>>;
  /** What may stand there without an option, each a name of the list. */
  readonly names?: readonly string[];
}

type ValueOf<Option extends ScriptOption> = Option extends WholeOption | NumberOption
  ? number
  : Option extends NamesOption
    ? readonly string[]
    : string | undefined;

export type ScriptValues<Given extends Script> = {
  readonly [Name in keyof Given["options"]]: ValueOf<Given["options"][Name]>;
} & { readonly names: readonly string[] };

/** The script cannot run with what it was given; the message is a line for people. */
export class ScriptUsageError extends Error {
  override readonly name = "ScriptUsageError";
}

/**
 * The values of a script's options; undefined where help is asked for.
 *
 * @throws ScriptUsageError that names the option, its value and what is allowed.
 */
export function parseScriptOptions<const Given extends Script>(
  script: Given,
  words: readonly string[],
): ScriptValues<Given> | undefined {
  const known = Object.keys(script.options);
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(known.map((name) => [name, { type: "string" as const }])),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const given = new Map<string, string>();
  const names: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") names.push(checkedName(script, token.value));
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (name === "help" || rawName === "-h") return undefined;
    const option = script.options[name];
    if (option === undefined || !rawName.startsWith("--")) throw unknownOption(script, rawName);
    if (value === undefined) {
      throw new ScriptUsageError(`${rawName} needs a value: ${describeAllowed(option)}`);
    }
    given.set(name, value);
  }
  const values = known.map((name) => [
    name,
    parsedValue(name, script.options[name] as ScriptOption, given.get(name)),
  ]);
  return { ...Object.fromEntries(values), names } as ScriptValues<Given>;
}

/** The same for this process; where it cannot run, or is to print its help, it does so and ends. */
export function scriptOptions<const Given extends Script>(script: Given): ScriptValues<Given> {
  try {
    const values = parseScriptOptions(script, process.argv.slice(2));
    if (values !== undefined) return values;
    process.stdout.write(`${describeScript(script)}\n`);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof ScriptUsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

/** How the script is started, and a line for each option. */
export function describeScript({ name, options, names }: Script): string {
  const lines = Object.entries(options).map(
    ([option, rule]) =>
      `  --${option} ${wordOf(rule)}: ${describeAllowed(rule)}${describeDefault(rule)}`,
  );
  const listed = names === undefined ? [] : [`  NAME: any of ${names.join(", ")}; default all`];
  const words = names === undefined ? "[OPTION …]" : "[NAME …]";
  return [`${name} -- ${words}`, ...lines, ...listed].join("\n");
}

function parsedValue(name: string, option: ScriptOption, text: string | undefined): unknown {
  switch (option.type) {
    case "whole":
    case "number": {
      if (text === undefined) return option.default;
      const { least = 1, most = Number.MAX_SAFE_INTEGER } = option;
      const value = text.trim() === "" ? Number.NaN : Number(text);
      const isKind = option.type === "number" || Number.isSafeInteger(value);
      if (isKind && value >= least && value <= most) return value;
      throw refused(name, option, text);
    }
    case "names": {
      if (text === undefined) return option.allowed;
      const names = text.split(",");
      if (names.every((each) => option.allowed.includes(each))) return names;
      throw refused(name, option, text);
    }
    case "file":
      if (text !== undefined) mustBeWritable(name, text);
      return text;
  }
}

function mustBeWritable(name: string, file: string): void {
  try {
    closeSync(openSync(file, "a"));
  } catch (error) {
    const why = (error as Error).message;
    throw new ScriptUsageError(
      `--${name} is ${JSON.stringify(file)}, which cannot be written: ${why}`,
    );
  }
}

function checkedName({ name, names, options }: Script, word: string): string {
  if (names?.includes(word) === true) return word;
  const allowed =
    names === undefined
      ? `its options: ${listOf(options)}`
      : `a name of these: ${names.join(", ")}`;
  throw new ScriptUsageError(
    `${JSON.stringify(word)} is nothing that ${name} knows; allowed are ${allowed}`,
  );
}

function unknownOption({ name, options }: Script, rawName: string): ScriptUsageError {
  return new ScriptUsageError(`${name} has no option ${rawName}; there are: ${listOf(options)}`);
}

function refused(name: string, option: ScriptOption, text: string): ScriptUsageError {
  const given = JSON.stringify(text);
  return new ScriptUsageError(`--${name} is ${given}; allowed: ${describeAllowed(option)}`);
}

function listOf(options: Script["options"]): string {
  return [...Object.keys(options), "help"].map((name) => `--${name}`).join(", ");
}

function wordOf({ type }: ScriptOption): string {
  return { whole: "N", number: "N", file: "FILE", names: "NAMES" }[type];
}

function describeAllowed(option: ScriptOption): string {
  switch (option.type) {
    case "whole": {
      const { least = 1, most } = option;
      return `a whole number from ${least}${most === undefined ? "" : ` to ${most}`}`;
    }
    case "number":
      return `a number from ${option.least} to ${option.most}`;
    case "names":
      return `any of ${option.allowed.join(", ")}, with commas between them`;
    case "file":
      return "a file that can be written";
  }
}

function describeDefault(option: ScriptOption): string {
  if (option.type === "file") return "";
  return option.type === "names" ? "; default all" : `; default ${option.default}`;
}

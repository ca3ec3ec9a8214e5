import {
  type AstNode,
  fieldNode,
  fieldNodes,
  identifierName,
  isReference,
  memberName,
  type Place,
  visit,
} from "./ast.ts";
import type { Finding, SourceFile } from "./project.ts";
import { isWithin } from "./rooms.ts";

/**
 * Names that may not occur, and what to use instead. `word` is a global by its bare name,
 * `Object.member` a member of that object, `*.member` a member of anything or an import of that
 * name. Whole modules are named as they are imported.
 */
interface Ban {
  readonly words: readonly string[];
  readonly modules?: readonly string[];
  readonly instead: string;
}

/** The one file that touches the real clock, timers and randomness. */
const SYSTEM_ENVIRONMENT = "src/core/store/system-environment.ts";
const SILENT_ROOMS = ["src/core/model/", "src/strategies/", "src/resolvers/"];
const ENVIRONMENT = "the Environment contract (src/core/contracts/environment.ts)";

const TIME: readonly Ban[] = [
  {
    words: ["Date.now", "performance", "process.hrtime", "process.uptime"],
    modules: ["node:perf_hooks", "perf_hooks"],
    instead: `monotonicMs() or wallMs() of ${ENVIRONMENT}, or \`now\` of the event`,
  },
  {
    words: ["setTimeout", "setInterval", "AbortSignal.timeout", "Atomics.wait"],
    modules: ["node:timers", "node:timers/promises", "timers", "timers/promises"],
    instead: `setTimer() of ${ENVIRONMENT}, or the step's setTimer effect`,
  },
  {
    words: ["clearTimeout", "clearInterval", "clearImmediate"],
    instead: `clearTimer() of ${ENVIRONMENT}`,
  },
  { words: ["process.nextTick", "queueMicrotask"], instead: `defer() of ${ENVIRONMENT}` },
  { words: ["setImmediate"], instead: `soon() of ${ENVIRONMENT}` },
];

const CHANCE: readonly Ban[] = [
  {
    words: [
      "Math.random",
      "*.randomBytes",
      "*.randomFill",
      "*.randomFillSync",
      "*.randomInt",
      "*.randomUUID",
      "*.getRandomValues",
    ],
    instead: `random(stream) of ${ENVIRONMENT}`,
  },
];

const LOCALE: readonly Ban[] = [
  {
    words: ["*.localeCompare", "*.toLocaleLowerCase", "*.toLocaleUpperCase"],
    instead:
      "< and > on strings, or a comparison of the encoded bytes: order is the same everywhere",
  },
];

const CONSOLE: readonly Ban[] = [
  { words: ["console"], instead: "the log of the Observer contract: the library is silent" },
];

const SIGNALS: readonly Ban[] = [
  {
    words: ["AbortSignal.any"],
    instead:
      "a listener on each signal, taken off when the call ends (AbortListeners and CallDeadline of " +
      "src/client, listenToAbort of src/core/store): Node 20 forgets a signal that was put together " +
      "once garbage was collected, and what waits for it then waits for ever",
  },
];

const CONCURRENCY: readonly Ban[] = [
  {
    words: ["Promise", "EventEmitter"],
    modules: ["rxjs", "node:events", "events"],
    instead: "an event that the step is handed, or an effect that it collects",
  },
  {
    words: ["process", "globalThis", "fetch"],
    instead: "what the step or the constructor is handed: a silent machine has no surroundings",
  },
];

/** Real clocks and timers, anywhere but in the one file that wraps them. */
export function realTime(files: readonly SourceFile[]): Finding[] {
  return outsideOf([SYSTEM_ENVIRONMENT], files).flatMap((file) => [
    ...occurrences(file, TIME),
    ...currentDates(file),
  ]);
}

export function realChance(files: readonly SourceFile[]): Finding[] {
  return outsideOf([SYSTEM_ENVIRONMENT], files).flatMap((file) => occurrences(file, CHANCE));
}

/** What would make a step wait, or reach for something that it was not handed. */
export function noiseInSilentMachines(files: readonly SourceFile[]): Finding[] {
  return files
    .filter((file) => SILENT_ROOMS.some((room) => isWithin(file.path, room)))
    .flatMap((file) => [...occurrences(file, CONCURRENCY), ...asyncConstructs(file)]);
}

export function consoleOutsideTheCommandLine(files: readonly SourceFile[]): Finding[] {
  return outsideOf(["src/cli/"], files).flatMap((file) => occurrences(file, CONSOLE));
}

export function orderThatDependsOnLocale(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => occurrences(file, LOCALE));
}

/** Also in the command line: nothing that it waits for may be forgotten. */
export function signalsThatAreForgotten(files: readonly SourceFile[]): Finding[] {
  return outsideOf([], files).flatMap((file) => occurrences(file, SIGNALS));
}

function outsideOf(exempt: readonly string[], files: readonly SourceFile[]): SourceFile[] {
  return files.filter(
    (file) => file.path.startsWith("src/") && !exempt.some((each) => isWithin(file.path, each)),
  );
}

function occurrences(file: SourceFile, bans: readonly Ban[]): Finding[] {
  const byWord = new Map(bans.flatMap((ban) => ban.words.map((word) => [word, ban.instead])));
  const byModule = new Map(bans.flatMap((ban) => ban.modules?.map((m) => [m, ban.instead]) ?? []));
  const findings = new Map<string, Finding>();
  const add = (line: number, word: string, instead: string): void => {
    const message = `${word} is banned here; use ${instead}`;
    findings.set(`${line} ${message}`, { path: file.path, line, message });
  };
  for (const { specifier, line } of file.imports) {
    const [, instead] = [...byModule].find(([name]) => isOf(name, specifier)) ?? [];
    if (instead !== undefined) add(line, `"${specifier}"`, instead);
  }
  visit(file.program, (node, place) => {
    for (const candidate of wordsOf(node, place)) {
      const instead = byWord.get(candidate);
      if (instead !== undefined) add(file.lineAt(node.start), candidate.replace("*.", ""), instead);
    }
  });
  return [...findings.values()];
}

/** `rxjs/internal/Subject` is of `rxjs`. */
function isOf(module: string, specifier: string): boolean {
  return specifier === module || specifier.startsWith(`${module}/`);
}

/** The words of a ban that this node could be: see `Ban`. */
function wordsOf(node: AstNode, place: Place): string[] {
  if (node.type === "Identifier") {
    const name = identifierName(node);
    return isReference(place) || place.field === "imported" ? [`${name}`, `*.${name}`] : [];
  }
  if (node.type === "MemberExpression") {
    const member = memberName(node);
    const object = fieldNode(node, "object");
    if (member === undefined || object === undefined) return [];
    const owner = identifierName(object) ?? memberName(object);
    const ofGlobal = owner === "globalThis" || owner === "global" ? [member] : [];
    return [`${owner}.${member}`, `*.${member}`, ...ofGlobal];
  }
  if (node.type === "VariableDeclarator") return destructuredWords(node);
  return [];
}

/** `const { random } = Math` says `Math.random`. */
function destructuredWords(declarator: AstNode): string[] {
  const owner = identifierName(fieldNode(declarator, "init"));
  const pattern = fieldNode(declarator, "id");
  if (owner === undefined || pattern?.type !== "ObjectPattern") return [];
  return fieldNodes(pattern, "properties").flatMap((property) => {
    const member = identifierName(fieldNode(property, "key"));
    return member === undefined ? [] : [`${owner}.${member}`, `*.${member}`];
  });
}

/** `new Date()` and `Date()` read the clock; `new Date(milliseconds)` does not. */
function currentDates(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  visit(file.program, (node) => {
    const callee = identifierName(fieldNode(node, "callee"));
    if (callee !== "Date") return;
    const reads =
      node.type === "CallExpression" ||
      (node.type === "NewExpression" && fieldNodes(node, "arguments").length === 0);
    if (!reads) return;
    const message = `a Date of the current time is banned here; use new Date(wallMs()) with wallMs() of ${ENVIRONMENT}`;
    findings.push({ path: file.path, line: file.lineAt(node.start), message });
  });
  return findings;
}

function asyncConstructs(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  visit(file.program, (node) => {
    const construct = asyncConstruct(node);
    if (construct === undefined) return;
    const message = `${construct} is banned here: a step runs to its end; send, set a timer or append, and go on when the event comes`;
    findings.push({ path: file.path, line: file.lineAt(node.start), message });
  });
  return findings;
}

function asyncConstruct(node: AstNode): string | undefined {
  if (node.type === "AwaitExpression") return "await";
  if (node.type === "ForOfStatement" && node.await === true) return "for await";
  return node.async === true ? "an async function" : undefined;
}

import { type Logger, pino, stdSerializers } from "pino";
import type { LogLevel, Observer } from "../core/contracts/observer.ts";
import { SILENT_OBSERVER } from "../core/contracts/observer.ts";
import { type Paint, paintFor, type Style } from "./paint.ts";
import type { Surroundings } from "./surroundings.ts";

export interface NodeLogOptions {
  readonly node: string;
  /** One JSON object a line, for machines; otherwise lines for people. */
  readonly json: boolean;
  readonly level: LogLevel;
}

/** The log of one node, on standard output. */
export function createNodeLog(options: NodeLogOptions, surroundings: Surroundings): Logger {
  const { stdout, environment, env } = surroundings;
  const settings = {
    level: options.level,
    base: { node: options.node },
    timestamp: () => `,"time":${environment.wallMs()}`,
    formatters: { level: (label: string) => ({ level: label }) },
    // An Error has no fields of its own that JSON would show.
    serializers: { error: stdSerializers.errWithCause },
  };
  if (options.json) return pino(settings, stdout);
  const paint = paintFor(stdout, env);
  return pino(settings, {
    write: (line: string) => {
      stdout.write(`${readableLine(JSON.parse(line), paint)}\n`);
    },
  });
}

/** The store's log goes to the node's log; its metrics and traces have no place to go yet. */
export function observerOf(log: Logger): Observer {
  return {
    ...SILENT_OBSERVER,
    log: (level, message, fields) => log[level](fields ?? {}, message),
  };
}

const LEVEL_STYLES: Readonly<Record<string, Style>> = {
  trace: "dim",
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
};

/** `12:04:05.123 info  joined the cluster  peers=2` */
function readableLine(record: Readonly<Record<string, unknown>>, paint: Paint): string {
  const { level, time, msg, node: _node, ...fields } = record;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const name = String(level);
  const rest = Object.entries(fields).map(([key, value]) => paint("dim", `${key}=${shown(value)}`));
  const words = [
    paint("dim", clock),
    paint(LEVEL_STYLES[name] ?? "dim", name.padEnd(5)),
    String(msg ?? ""),
    ...rest,
  ];
  return [words.join(" ").trimEnd(), ...stackLines(fields.error)].join("\n");
}

/** Where an error came from, below its line. */
function stackLines(error: unknown): string[] {
  if (!isSerializedError(error)) return [];
  return error.stack.split("\n").filter((line) => line.startsWith("    at "));
}

function isSerializedError(value: unknown): value is { message: string; stack: string } {
  return typeof value === "object" && value !== null && "stack" in value && "message" in value;
}

function shown(value: unknown): string {
  if (isSerializedError(value)) return JSON.stringify(value.message);
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value) ?? String(value);
}

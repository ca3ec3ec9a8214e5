import type { LogFields, LogLevel, Observer } from "../contracts/observer.ts";

/** One counter with one set of labels. */
export interface Counted {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An observer that adds up what is counted, for whoever asks. */
export interface CountingObserver extends Observer {
  /** All counters since the node's start, by name and labels. Those that never counted are not there. */
  counters(): readonly Counted[];
  /** The same in the text format of Prometheus, with `labels` added to each. */
  prometheus(labels?: Readonly<Record<string, string>>): string;
}

export interface CountingObserverOptions {
  /** Where logs go. Default: nowhere. */
  readonly log?: (level: LogLevel, message: string, fields?: LogFields) => void;
}

/**
 * Keeps the counters of docs/events.md. Built-in parts measure nothing else: gauges, observations and
 * spans of plug-ins are dropped.
 */
export function countingObserver({ log }: CountingObserverOptions = {}): CountingObserver {
  const counts = new Map<string, Map<string, { readonly counted: Counted; value: number }>>();
  const counters = (): Counted[] =>
    [...counts.keys()].sort().flatMap((name) => {
      const rows = [...(counts.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      return rows.map(([, { counted, value }]) => ({ ...counted, value }));
    });
  return {
    log: (level, message, fields) => log?.(level, message, fields),
    count(name, by, labels = {}) {
      const texts = textsOf(labels);
      const key = JSON.stringify(texts);
      const ofName = counts.get(name) ?? new Map();
      counts.set(name, ofName);
      const known = ofName.get(key);
      if (known !== undefined) known.value += by;
      else ofName.set(key, { counted: { name, labels: Object.fromEntries(texts) }, value: by });
    },
    gauge: () => undefined,
    observe: () => undefined,
    span: () => ({ end: () => undefined }),
    counters,
    prometheus: (labels = {}) => textOf(counters(), labels),
  };
}

/** By name, so that the order in which a caller names its labels makes no difference. */
function textsOf(labels: LogFields): readonly (readonly [name: string, value: string])[] {
  return Object.entries(labels)
    .map(([name, value]) => [name, String(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function textOf(counters: readonly Counted[], more: Readonly<Record<string, string>>): string {
  const lines: string[] = [];
  let last: string | undefined;
  for (const { name, labels, value } of counters) {
    if (name !== last) lines.push(`# TYPE ${name} counter`);
    last = name;
    const words = textsOf({ ...more, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
    lines.push(`${name}${words.length === 0 ? "" : `{${words.join(",")}}`} ${value}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

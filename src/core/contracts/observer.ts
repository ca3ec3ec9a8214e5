export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where logs and counters go: docs/events.md has the counters. Silent by default. The built-in parts
 * call `log` and `count` alone; the others are there for strategies, transports and storages of yours.
 *
 * Obligations
 * - Concurrency: called synchronously from the protocol path: return at once, never call back.
 * - Errors: must not throw; the store does not guard the path of every operation against it.
 * - Buffers: `fields` and `labels` are the caller's and may be shared: do not change them.
 */
export interface Observer {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  /** A monotonic counter. */
  count(name: string, by: number, labels?: LogFields): void;
  /** A value as it stands now. */
  gauge(name: string, value: number, labels?: LogFields): void;
  /** One observation of a distribution, in milliseconds. */
  observe(name: string, valueMs: number, labels?: LogFields): void;
  /** Starts a span; `end` is called once. */
  span(name: string, fields?: LogFields): ObserverSpan;
}

export interface ObserverSpan {
  end(fields?: LogFields): void;
}

const NO_SPAN: ObserverSpan = Object.freeze({ end: () => undefined });

export const SILENT_OBSERVER: Observer = Object.freeze({
  log: () => undefined,
  count: () => undefined,
  gauge: () => undefined,
  observe: () => undefined,
  span: () => NO_SPAN,
});

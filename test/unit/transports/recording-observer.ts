import {
  type LogFields,
  type Observer,
  SILENT_OBSERVER,
} from "../../../src/core/contracts/observer.ts";

/** Keeps what a transport counts and logs. */
export class RecordingObserver implements Observer {
  readonly lines: { readonly message: string; readonly fields: LogFields }[] = [];
  readonly #counts = new Map<string, number>();
  readonly gauge = SILENT_OBSERVER.gauge;
  readonly observe = SILENT_OBSERVER.observe;
  readonly span = SILENT_OBSERVER.span;

  log(_level: string, message: string, fields: LogFields = {}): void {
    this.lines.push({ message, fields });
  }

  count(name: string, by: number, labels: LogFields = {}): void {
    for (const key of [name, ...Object.values(labels).map((label) => `${name} ${label}`)]) {
      this.#counts.set(key, this.counted(key) + by);
    }
  }

  /** By name, or by name and one label's value: `"transport_refusals magic"`. */
  counted(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}

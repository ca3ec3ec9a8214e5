import { createHash } from "node:crypto";
import type { Environment } from "../../core/contracts/environment.ts";
import { isCapstanError } from "../../core/model/errors.ts";
import { encodeValue } from "../../core/model/values.ts";
import { isWrongEntry } from "../exit-codes.ts";
import { type ParsedLine, parseLine } from "./parse-line.ts";
import type { TextLine } from "./read-lines.ts";
import { withRetries } from "./retry.ts";

export interface LoaderOptions {
  readonly write: (
    key: string,
    value: unknown,
    operationId: string | undefined,
  ) => Promise<unknown>;
  readonly concurrency: number;
  /** Pass over lines that are not entries, instead of stopping at the first. */
  readonly skipBad: boolean;
  /** Remember what was written, so that it can be compared with what is read back. */
  readonly remember: boolean;
  readonly environment: Environment;
  /** Aborts: no further line is taken, those under way are ended. */
  readonly signal: AbortSignal;
  /** Called for each line that is done with, as `TextLine.endsAt` tells where it ended. */
  readonly onLine: (endsAt: number) => void;
}

/** What a key must hold after the load: the value of its last line. */
export interface Expected {
  readonly line: number;
  readonly fingerprint: string;
}

export interface BadLine {
  readonly number: number;
  readonly problem: string;
}

/** A line that was sent and not acknowledged. */
export interface FailedLine {
  readonly number: number;
  readonly key: string;
  readonly error: unknown;
}

const REMEMBERED_FAILURES = 10;

/**
 * Writes lines, many at a time. Lines with the same key are written in the order of the file, so
 * that the last one wins, as it would if they were written one by one.
 */
export class Loader {
  readonly #options: LoaderOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly expected = new Map<string, Expected>();
  readonly bad: BadLine[] = [];
  readonly failed: FailedLine[] = [];
  written = 0;
  badLines = 0;
  unknown = 0;
  #stopped = false;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Ends when all lines are written, or when those under way have ended after a stop. */
  async run(lines: AsyncGenerator<TextLine, void, undefined>): Promise<void> {
    const { concurrency } = this.#options;
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(lines)));
    await lines.return();
  }

  async #work(lines: AsyncGenerator<TextLine, void, undefined>): Promise<void> {
    while (!this.#isOver()) {
      const next = await lines.next();
      // An interruption cuts the file anywhere: what comes then may be half a line.
      if (next.done || this.#isOver()) return;
      const line = parseLine(next.value);
      if (line.kind === "bad") this.#refuse(line);
      else if (line.kind === "entry") await this.#inTurn(line);
      this.#options.onLine(next.value.endsAt);
    }
  }

  #isOver(): boolean {
    return this.#stopped || this.#options.signal.aborted;
  }

  /** Between `lines.next()` and the map's `set` nothing awaits: lines enter in the file's order. */
  async #inTurn(line: ParsedLine & { kind: "entry" }): Promise<void> {
    const before = this.#underWay.get(line.key);
    const mine = before === undefined ? this.#write(line) : before.then(() => this.#write(line));
    this.#underWay.set(line.key, mine);
    await mine;
    if (this.#underWay.get(line.key) === mine) this.#underWay.delete(line.key);
  }

  async #write(line: ParsedLine & { kind: "entry" }): Promise<void> {
    const { environment, signal, write, remember } = this.#options;
    if (this.#isOver()) return;
    try {
      await withRetries(environment, signal, (id) => write(line.key, line.value, id));
    } catch (error) {
      if (isWrongEntry(error)) {
        this.#refuse({ number: line.number, problem: (error as Error).message });
      } else this.#fail(line, error);
      return;
    }
    this.written += 1;
    if (remember) {
      const fingerprint = fingerprintOf(line.value);
      this.expected.set(line.key, { line: line.number, fingerprint });
    }
  }

  #refuse(line: BadLine): void {
    this.badLines += 1;
    if (this.bad.length < REMEMBERED_FAILURES) {
      this.bad.push({ number: line.number, problem: line.problem });
    }
    if (!this.#options.skipBad) this.#stopped = true;
  }

  #fail(line: ParsedLine & { kind: "entry" }, error: unknown): void {
    this.#stopped = true;
    if (!isCapstanError(error) || error.outcome === "unknown") this.unknown += 1;
    this.failed.push({ number: line.number, key: line.key, error });
  }
}

/** Equal for equal values, whatever the order of their fields. */
export function fingerprintOf(value: unknown): string {
  return createHash("sha256").update(encodeValue(value)).digest("base64");
}

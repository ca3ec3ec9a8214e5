import type { Cancellation, Engine, ScanCompletion } from "../contracts/strategy.ts";
import type { CapstanError } from "../model/errors.ts";
import { compareBytes, decodeKey, encodeKey, keyAfter, prefixEnd } from "../model/keys.ts";
import type { KeyRange, ScanEntry, ScanPage, ScanRequest } from "../model/operations.ts";
import type { ScanEntryResult, ScanOptions } from "./api.ts";
import { type CallSettings, OPTIONS_OF, parseOptions } from "./call-options.ts";
import type { KeyspaceParts } from "./keyspace-handle.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import { decode } from "./result-decoder.ts";
import { decodeScanCursor, encodeScanCursor } from "./scan-cursor.ts";

/**
 * What `scan` gives: each iteration over it is a scan of its own, page by page as the caller takes
 * entries; nothing is read ahead. A page is one moment of each shard, the scan as a whole is not.
 */
export class KeyspaceScan implements AsyncIterable<ScanEntryResult<unknown>> {
  readonly #parts: KeyspaceParts;
  readonly #options: ScanOptions | undefined;

  constructor(parts: KeyspaceParts, options: ScanOptions | undefined) {
    this.#parts = parts;
    this.#options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<ScanEntryResult<unknown>> {
    return new ScanIterator(this.#parts, this.#options);
  }
}

class ScanIterator implements AsyncIterator<ScanEntryResult<unknown>, undefined> {
  readonly #parts: KeyspaceParts;
  readonly #entries: AsyncGenerator<ScanEntryResult<unknown>, undefined>;
  #page: PendingPage | undefined;
  #returned = false;

  constructor(parts: KeyspaceParts, options: ScanOptions | undefined) {
    this.#parts = parts;
    this.#entries = this.#scan(options);
  }

  next(): Promise<IteratorResult<ScanEntryResult<unknown>, undefined>> {
    return this.#entries.next();
  }

  /** Ends a page under way too, which a generator alone would wait for. */
  return(): Promise<IteratorResult<ScanEntryResult<unknown>, undefined>> {
    this.#returned = true;
    this.#page?.handleEvent();
    return this.#entries.return(undefined);
  }

  async *#scan(
    options: ScanOptions | undefined,
  ): AsyncGenerator<ScanEntryResult<unknown>, undefined> {
    const { lifecycle, maxTimeoutMs, maker, hash, scanPage } = this.#parts;
    if (!lifecycle.isAccepting) throw lifecycle.refusal();
    const settings = parseOptions(options, OPTIONS_OF.scan, maxTimeoutMs);
    const level = maker.scanLevel(settings.consistency);
    let range: KeyRange | undefined = rangeOf(settings, hash);
    let wanted = settings.limit ?? Number.POSITIVE_INFINITY;
    while (range !== undefined && !isEmpty(range) && wanted > 0) {
      const limit = Math.min(wanted, scanPage);
      const deadlineMs = maker.deadlineMs(settings.timeoutMs);
      const page = await this.#fetch({ range, limit, level, deadlineMs }, settings.signal);
      if (page === undefined) return undefined;
      for (const entry of page.entries) {
        yield toScanEntry(entry, hash);
        if (--wanted <= 0) return undefined;
      }
      range = page.continueAfter && { from: keyAfter(page.continueAfter), to: range.to };
    }
    return undefined;
  }

  /** Undefined if the caller went away meanwhile. */
  async #fetch(
    request: ScanRequest,
    signal: AbortSignal | undefined,
  ): Promise<ScanPage | undefined> {
    const { engine, lifecycle } = this.#parts;
    if (!lifecycle.isAccepting) throw lifecycle.refusal();
    refuseAborted(signal);
    try {
      return await new Promise<ScanPage>((resolve, reject) => {
        this.#page = new PendingPage(resolve, reject, signal);
        this.#page.begin(engine, request);
      });
    } catch (error) {
      if (this.#returned) return undefined;
      throw toFault(error);
    } finally {
      this.#page = undefined;
    }
  }
}

/** One page under way. */
class PendingPage implements ScanCompletion {
  readonly #resolve: (page: ScanPage) => void;
  readonly #reject: (error: Error) => void;
  readonly #signal: AbortSignal | undefined;
  #cancellation: Cancellation | undefined;

  constructor(
    resolve: (page: ScanPage) => void,
    reject: (error: Error) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
  }

  begin(engine: Engine, request: ScanRequest): void {
    if (this.#signal !== undefined) listenToAbort(this.#signal, this);
    this.#cancellation = engine.scan(request, this);
  }

  succeed(page: ScanPage): void {
    this.#signal?.removeEventListener("abort", this);
    this.#resolve(page);
  }

  fail(fault: CapstanError): void {
    this.#signal?.removeEventListener("abort", this);
    this.#reject(fault);
  }

  handleEvent(): void {
    this.#cancellation?.cancel();
  }
}

function toScanEntry(entry: ScanEntry, keyspaceHash: number): ScanEntryResult<unknown> {
  const { value, siblings, version } = entry;
  return {
    key: decodeKey(entry.key),
    ...(value !== undefined && { value: decode(value) }),
    ...(siblings !== undefined && { siblings: siblings.map(decode) }),
    version,
    cursor: encodeScanCursor(keyspaceHash, entry.key),
  };
}

/** The keys that satisfy prefix, from, to and cursor together. */
function rangeOf(settings: Readonly<CallSettings>, keyspaceHash: number): KeyRange {
  const { prefix, from, to, cursor } = settings;
  const prefixBytes = prefix === undefined || prefix === "" ? undefined : encodeKey(prefix);
  let low = prefixBytes;
  let high = prefixBytes && prefixEnd(prefixBytes);
  if (from !== undefined) low = greater(low, encodeKey(from));
  if (to !== undefined) high = lesser(high, encodeKey(to));
  if (cursor !== undefined) {
    low = greater(low, keyAfter(decodeScanCursor(keyspaceHash, cursor)));
  }
  return { from: low, to: high };
}

function greater(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a === undefined || compareBytes(a, b) < 0 ? b : a;
}

function lesser(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a === undefined || compareBytes(a, b) > 0 ? b : a;
}

function isEmpty({ from, to }: KeyRange): boolean {
  return from !== undefined && to !== undefined && compareBytes(from, to) >= 0;
}

import { refuseSetting } from "../../../core/model/configuration-problems.ts";
import { parseSizeBytes } from "../../../core/model/sizes.ts";
import type { ReadReply } from "../messages.ts";
import type { RecordRules } from "../record-rules.ts";
import type { ReplicaAnswers, ReplicaMask } from "../replica-answers.ts";

/**
 * A reply has 6 bytes and the record; a digest has 10 and the record's summary (18 of a stamped one),
 * whatever the value. Up to about 1,400 bytes both are one packet of an Ethernet, so that little is
 * saved where a second round trip may be lost; of 4 KiB it is two packets of three.
 */
const DEFAULT_ABOVE_BYTES = 4 * 1024;
const BOUNDS = Object.freeze({ min: 1, max: 64 * 1024 * 1024 });

/** Bytes of a record above which all but one replica answer with a digest; undefined: never. */
export type DigestSetting = number | undefined;

/** @throws CapstanError `INVALID_CONFIGURATION`. */
export function parseDigestAbove(value: unknown, path: string): DigestSetting {
  if (value === undefined) return DEFAULT_ABOVE_BYTES;
  if (value === "off") return undefined;
  if (typeof value === "string" || typeof value === "number") {
    return parseSizeBytes(value, path, BOUNDS);
  }
  return refuseSetting(path, value, "neither a size nor a word", ["a size", "off"]);
}

/** What is kept of a read some of whose answers may be digests. */
export interface DigestedRead {
  readonly answers: ReplicaAnswers;
  /** Per replica: what it answered; the summary where that was a digest. */
  readonly records: (Uint8Array | undefined)[];
  /** Replicas whose answer is a digest that nothing is known to match. */
  digests: ReplicaMask;
  /** Of those: how long the records are. */
  digestBytes: number[] | undefined;
  /** Replicas that were asked for the record itself, after their digest. */
  fullAsked: ReplicaMask;
}

/**
 * Reads in which one replica sends the record and the others what tells it from other records of its
 * key: its summary, and how long it is. Equal summaries name the same events, so that no hash of the
 * value is needed: two records of one summary could only come from an operation id that was used
 * twice, or from a resolver that breaks its laws; and those anti-entropy finds.
 */
export class Digests {
  readonly #rules: RecordRules;
  readonly #mismatchIgnored: boolean;
  #matched = 0;
  #older = 0;
  #fetched = 0;

  constructor(rules: RecordRules, mismatchIgnored = false) {
    this.#rules = rules;
    this.#mismatchIgnored = mismatchIgnored;
  }

  /** A digest that comes, again, after the record itself was asked for. */
  isOver(read: DigestedRead, index: number, reply: ReadReply): boolean {
    return reply.fullBytes !== undefined && (read.fullAsked & (1 << index)) !== 0;
  }

  /** Of a first answer. */
  note(read: DigestedRead, index: number, reply: ReadReply): void {
    if (reply.fullBytes === undefined) return;
    read.digests |= 1 << index;
    read.digestBytes ??= [];
    read.digestBytes[index] = reply.fullBytes;
  }

  /**
   * Holds the digests against the newest record that is here. One that it matches is that record; one
   * that it includes is an older one, which is mended; the replicas of the others are asked for the
   * record, and have not answered until it comes. Answers which they are.
   */
  settle(read: DigestedRead, newest: Uint8Array | undefined): ReplicaMask {
    let open = 0;
    for (let index = 0; index < read.records.length; index++) {
      const bit = 1 << index;
      const summary = read.records[index];
      if ((read.digests & bit) === 0 || summary === undefined) continue;
      const bytes = read.digestBytes?.[index];
      if (
        newest !== undefined &&
        (this.#mismatchIgnored || this.#matches(newest, summary, bytes))
      ) {
        read.records[index] = newest;
        this.#matched++;
      } else if (newest !== undefined && this.#rules.relation(newest, summary) === "included") {
        this.#older++;
      } else {
        open |= bit;
        read.records[index] = undefined;
        this.#fetched++;
      }
    }
    read.digests = 0;
    read.fullAsked |= open;
    read.answers.withdraw(open);
    return open;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { matched: this.#matched, older: this.#older, fetched: this.#fetched };
  }

  #matches(newest: Uint8Array, summary: Uint8Array, bytes: number | undefined): boolean {
    return newest.length === bytes && Buffer.compare(this.#rules.summaryOf(newest), summary) === 0;
  }
}

import type { MachineChange } from "../../core/contracts/machine-change.ts";
import { isCapstanError } from "../../core/model/errors.ts";
import type { ReadResult, ScanEntry } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import { describeDot } from "./causal-context.ts";
import type { ContextTokens } from "./context-token.ts";
import { decodeRecord, type Sibling } from "./dotted-record.ts";
import { ResolverFailures } from "./resolver-failures.ts";
import { joined, type Settlement, versionOf } from "./settlement.ts";

/** What a client is shown of a record: one value, or several side by side. */
export interface Shown {
  readonly value: Uint8Array | undefined;
  /** Two or more. */
  readonly siblings: readonly Uint8Array[] | undefined;
  /** One name for each sibling. */
  readonly siblingVersions: readonly string[] | undefined;
  readonly version: string;
}

/** Makes results of records, as the keyspace's resolver has it. */
export class RecordReader {
  /** Of the resolver. */
  readonly failures: ResolverFailures;
  readonly #settlement: Settlement;
  readonly #tokens: ContextTokens;

  constructor(settlement: Settlement, tokens: ContextTokens) {
    this.#settlement = settlement;
    this.#tokens = tokens;
    this.failures = new ResolverFailures(settlement.resolver?.name ?? "none");
  }

  /** @throws CapstanError `RESOLVER_FAILED`, as `entryOf` and `show`. */
  resultOf(key: Uint8Array, bytes: Uint8Array | undefined, receipt: Receipt): ReadResult {
    if (bytes === undefined) {
      return { found: false, value: undefined, siblings: undefined, version: undefined, receipt };
    }
    const shown = this.show(key, bytes);
    const found = shown.value !== undefined || shown.siblings !== undefined;
    const { value, siblings, siblingVersions, version } = shown;
    const names = siblingVersions === undefined ? {} : { siblingVersions };
    return { found, value, siblings, ...names, version, receipt };
  }

  /** Of a record that is alive. */
  entryOf({ key, record }: KeyedRecord): ScanEntry {
    const { value, siblings, version } = this.show(key, record);
    return { key, value, siblings, version };
  }

  /** A gap, where the resolver has no value for what is there. */
  changeOf(key: Uint8Array, record: Uint8Array): MachineChange {
    let shown: Shown;
    try {
      shown = this.show(key, record);
    } catch (error) {
      if (!isCapstanError(error) || error.code !== "RESOLVER_FAILED") throw error;
      return { type: "gap", reason: error.message };
    }
    const { value, siblings, version } = shown;
    if (siblings !== undefined) return { type: "conflict", key, siblings, version };
    return value === undefined
      ? { type: "delete", key, version }
      : { type: "put", key, value, version };
  }

  show(key: Uint8Array, bytes: Uint8Array): Shown {
    const record = decodeRecord(bytes);
    const version = this.#tokens.tokenOf(key, record.context, record.newestTime);
    const nothing = { value: undefined, siblings: undefined, siblingVersions: undefined, version };
    if (record.states.length > 0) return { ...nothing, value: this.#valueOf(key, record.states) };
    const alive = record.siblings.filter((sibling) => sibling.value !== undefined);
    const [first] = alive;
    if (first === undefined) return nothing;
    if (alive.length === 1) return { ...nothing, value: first.value };
    const resolved = this.#resolved(key, alive);
    if (resolved !== undefined) return { ...nothing, value: resolved };
    return {
      ...nothing,
      siblings: alive.map(({ value }) => value as Uint8Array),
      siblingVersions: alive.map(({ dot }) => describeDot(dot)),
    };
  }

  /** A resolver that throws leaves the versions as they are. */
  #resolved(key: Uint8Array, siblings: readonly Sibling[]): Uint8Array | undefined {
    const { kind, resolver } = this.#settlement;
    if (kind === "states" || resolver === undefined) return undefined;
    try {
      const resolution = resolver.resolve(siblings.map(versionOf));
      return resolution.type === "value" ? encodeValue(resolution.value) : undefined;
    } catch (error) {
      this.failures.note(key, error);
      return undefined;
    }
  }

  #valueOf(key: Uint8Array, states: readonly Uint8Array[]): Uint8Array | undefined {
    if (this.#settlement.kind !== "states") return undefined;
    const { resolver } = this.#settlement;
    const [state, ...apart] = joined(resolver, states);
    if (state === undefined) return undefined;
    try {
      if (apart.length > 0) throw new Error("its join throws for the states that are there");
      return encodeValue(resolver.value(decodeValue(state)));
    } catch (error) {
      throw this.failures.note(key, error);
    }
  }
}

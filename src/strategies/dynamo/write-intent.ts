import type { CoordinatorContext, Request } from "../../core/contracts/machine.ts";
import type { CrdtResolver } from "../../core/contracts/resolver.ts";
import { CapstanError, isCapstanError } from "../../core/model/errors.ts";
import { hash32, hashText } from "../../core/model/hash.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { Operation } from "../../core/model/operations.ts";
import { compareStamps, type HybridTime, type Stamp } from "../../core/model/stamp.ts";
import { decodeValue } from "../../core/model/values.ts";
import { expiryOfWrite } from "../leaderless/expiry.ts";
import type { ContextTokens, SeenContext } from "./context-token.ts";
import { unknownWrite } from "./faults.ts";
import { decodeOperationName, encodeOperationName } from "./operation-names.ts";
import { timeSeenIn } from "./session-contexts.ts";
import type { Settlement } from "./settlement.ts";

const MAX_REMEMBERED = 16_384;

/** What a client's write wants, once everything about it has been checked. */
export interface WriteIntent {
  readonly stamp: Stamp;
  /** Undefined: anybody may be chosen. */
  readonly minter: NodeId | undefined;
  /** It may have been sent before. */
  readonly again: boolean;
  readonly seen: SeenContext | undefined;
  /** The greatest time of anything that its writer has seen. */
  readonly follows: HybridTime;
  readonly expiresAtMs: number | undefined;
}

interface Used {
  readonly key: Uint8Array;
  readonly minter: NodeId;
  /** Of what was written: see `contentOf`. */
  readonly content: number;
}

/**
 * Checks clients' writes, and knows which node was to mint under an operation id that this node has
 * made: an id is asked for before its key is known, and only who made it can say where it went.
 */
export class WriteIntents {
  readonly #context: CoordinatorContext;
  readonly #settlement: Settlement;
  readonly #tokens: ContextTokens;
  readonly #used = new Map<string, Used>();
  /** Ids up to here may have been forgotten. */
  #horizon: Stamp | undefined;

  constructor(context: CoordinatorContext, settlement: Settlement, tokens: ContextTokens) {
    this.#context = context;
    this.#settlement = settlement;
    this.#tokens = tokens;
  }

  mintOperationId(wallMs: number): string {
    return encodeOperationName(this.#context.keyspaceHash, {
      stamp: this.#context.clock.mint(wallMs),
      node: this.#context.self.node,
      key: undefined,
    });
  }

  /** @throws CapstanError for what can be refused before anything is sent. */
  of({ operation }: Request, wallMs: number): WriteIntent {
    this.#checkKind(operation);
    const seen = this.#seenBy(operation, wallMs);
    const inSession = this.#timeInSession(operation, wallMs);
    const follows = Math.max(seen?.newestTime ?? 0, inSession);
    const { operationId } = operation;
    if (operationId === undefined) {
      const expiresAtMs = expiryOfWrite(operation, undefined, wallMs);
      const stamp = this.#context.clock.mint(wallMs);
      return { stamp, minter: undefined, again: false, seen, follows, expiresAtMs };
    }
    const named = this.#named(operationId, operation);
    const expiresAtMs = expiryOfWrite(operation, named.stamp, wallMs);
    return { ...named, seen, follows, expiresAtMs };
  }

  /** What became known of an id that this node has made: who mints under it. */
  choose({ operation }: Request, minter: NodeId): void {
    const { operationId, key } = operation;
    if (operationId === undefined || this.#used.has(operationId)) return;
    this.#used.set(operationId, { key, minter, content: contentOf(operation) });
    if (this.#used.size <= MAX_REMEMBERED) return;
    const oldest = this.#used.keys().next().value;
    if (oldest === undefined) return;
    this.#used.delete(oldest);
    const { stamp } = decodeOperationName(oldest, this.#context);
    if (this.#horizon === undefined || compareStamps(stamp, this.#horizon) > 0) {
      this.#horizon = stamp;
    }
  }

  /** Who has minted under the id, if that is known; for `resolve`. */
  find(
    operationId: string,
  ): { readonly stamp: Stamp; readonly minter: NodeId; readonly key: Uint8Array } | undefined {
    const name = decodeOperationName(operationId, this.#context);
    if (name.key !== undefined) return { stamp: name.stamp, minter: name.node, key: name.key };
    const used = this.#used.get(operationId);
    return used === undefined ? undefined : { stamp: name.stamp, ...used };
  }

  #named(
    operationId: string,
    operation: Operation,
  ): Omit<WriteIntent, "seen" | "follows" | "expiresAtMs"> {
    const { key } = operation;
    const name = decodeOperationName(operationId, this.#context, key);
    const { stamp } = name;
    const used = this.#used.get(operationId);
    // A fault has made the id: it says itself for what.
    const content = used?.content ?? name.content;
    const isSame = content === undefined || content === contentOf(operation);
    if (used !== undefined && Buffer.compare(used.key, key) !== 0) throw reused(operationId, "key");
    // Its minter would answer with the write that it has taken, and this one would be nowhere.
    if (!isSame) throw reused(operationId, "value");
    if (name.key !== undefined) return { stamp, minter: name.node, again: true };
    if (used !== undefined) return { stamp, minter: used.minter, again: true };
    if (this.#isFresh(stamp)) return { stamp, minter: undefined, again: false };
    throw unknownWrite(
      `the operation id was made by node ${name.node}, at an earlier start or too long ago, or ` +
        "has to be used there: whether it was used before cannot be told here",
      operationId,
      { madeBy: name.node },
    );
  }

  /** Made by this start of this node, and not forgotten. */
  #isFresh(stamp: Stamp): boolean {
    const { actor } = this.#context.clock;
    if (stamp.actorHigh !== actor.high || stamp.actorLow !== actor.low) return false;
    return this.#horizon === undefined || compareStamps(stamp, this.#horizon) > 0;
  }

  /** @throws CapstanError `NOT_SUPPORTED`, or what the resolver says of the operation. */
  #checkKind({ type, value, options }: Operation): void {
    const { keyspace } = this.#context;
    const { kind, resolver } = this.#settlement;
    const name = resolver?.name ?? "none";
    if (type === "update") {
      if (kind !== "states" || value === undefined) {
        throw notSupported(
          `keyspace ${keyspace} (resolver ${name}) has no operations to update by`,
        );
      }
      if (options?.ttlMs !== undefined) {
        throw notSupported(
          "an update takes no ttlMs: the state of a CRDT is of all its writers, and does not expire",
        );
      }
      if (options?.context !== undefined) {
        throw notSupported("an update takes no context: it builds upon all that its replica holds");
      }
      checkedBy(resolver, decodeValue(value));
    } else if (kind === "states") {
      const instead = type === "put" ? "update(key, operation)" : "an operation that removes";
      throw notSupported(
        `keyspace ${keyspace} (resolver ${name}) takes no ${type}, which would undo what others ` +
          `add at the same time; use ${instead}`,
      );
    }
  }

  /** Nobody vouches for a session's token: it does not lead beyond the guard. */
  #timeInSession({ options }: Operation, wallMs: number): HybridTime {
    const time = timeSeenIn(options?.session);
    if (time === 0) return 0;
    const stamp: Stamp = { time, actorHigh: 0, actorLow: 0 };
    if (this.#context.clock.observe(stamp, wallMs) === "observed") return time;
    throw new CapstanError(
      "CLOCK_SKEW",
      "the session has seen a write that lies beyond clock.maxSkew ahead of this node's clock",
    );
  }

  #seenBy({ options, key }: Operation, wallMs: number): SeenContext | undefined {
    if (options?.context === undefined) return undefined;
    const seen = this.#tokens.parse(key, options.context);
    const { clock } = this.#context;
    const stamp: Stamp = { time: seen.newestTime, actorHigh: 0, actorLow: 0 };
    // What nobody vouches for cannot be the proof of a time beyond the guard.
    if (!seen.isSigned && clock.isBeyondGuard(stamp, wallMs)) {
      throw new CapstanError(
        "CLOCK_SKEW",
        "the context follows a write that lies beyond clock.maxSkew ahead of this node's clock, " +
          "and without cluster.key it is not known to be genuine",
      );
    }
    return seen;
  }
}

/** The resolver may be anybody's: whatever it throws is a refusal. */
function checkedBy(resolver: CrdtResolver, operation: unknown): void {
  try {
    resolver.checkOperation(operation);
  } catch (error) {
    if (isCapstanError(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `the resolver ${resolver.name} takes no such operation: ${message}`,
      { cause: error },
    );
  }
}

/** Two writes under one id are told apart by it: what they do, with which value, and for how long. */
export function contentOf({ type, value, options }: Operation): number {
  const how = hashText(`${type} ${options?.ttlMs ?? ""}`);
  return value === undefined ? how : hash32(value, how);
}

function reused(operationId: string, what: "key" | "value"): CapstanError {
  const message = `operation id ${operationId} was used for another ${what}`;
  return new CapstanError("OPERATION_ID_REUSED", message);
}

function notSupported(message: string): CapstanError {
  return new CapstanError("NOT_SUPPORTED", message);
}

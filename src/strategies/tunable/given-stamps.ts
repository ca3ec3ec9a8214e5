import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { decodeOperationId, type StampedOperationId } from "../../core/model/operation-id.ts";
import type { Operation } from "../../core/model/operations.ts";
import { compareStamps, type Stamp, ZERO_STAMP } from "../../core/model/stamp.ts";
import { stampOfVersionToken } from "../../core/model/version-token.ts";
import { expiryOfWrite } from "../leaderless/expiry.ts";
import { stampSeenInSession } from "./session-stamps.ts";

/** What a client's write says of stamps and times. */
export interface GivenInWrite {
  /** From the operation's id: the write has this stamp or none. */
  readonly fixedStamp: Stamp | undefined;
  /** What its writer has seen; below everything if it does not say. */
  readonly seen: Stamp;
  /** When its value is gone, in milliseconds of wall time. */
  readonly expiresAtMs: number | undefined;
}

/** Or why the write is refused. */
export function givenIn(
  operation: Operation,
  context: CoordinatorContext,
  wallMs: number,
): GivenInWrite | CapstanError {
  try {
    const id = idOf(operation, context);
    const fixedStamp = id?.stamp;
    const inSession = stampSeenInSession(operation, context.clock, wallMs);
    const inContext = stampSeenBy(operation);
    const seen = compareStamps(inSession, inContext) > 0 ? inSession : inContext;
    const expiresAtMs = expiryOfWrite(operation, fixedStamp, wallMs);
    // A fault has made the id, of a write that was counted by its node's clock, and not by its stamp.
    const isCounted = expiresAtMs !== undefined && id?.expiresAtMs !== undefined;
    return { fixedStamp, seen, expiresAtMs: isCounted ? id.expiresAtMs : expiresAtMs };
  } catch (error) {
    if (error instanceof CapstanError) return error;
    throw error;
  }
}

/**
 * What the operation's id says, whose stamp is the write's; undefined if it has none.
 *
 * @throws CapstanError if the id is not one for this key of this keyspace.
 */
function idOf(
  { operationId, key }: Operation,
  { keyspace, keyspaceHash }: CoordinatorContext,
): StampedOperationId | undefined {
  if (operationId === undefined) return undefined;
  const id = decodeOperationId(operationId);
  if (id.keyspaceHash !== keyspaceHash) {
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `operation id ${operationId} belongs to another keyspace than ${keyspace}`,
    );
  }
  if (id.key !== undefined && Buffer.compare(id.key, key) !== 0) {
    throw new CapstanError(
      "OPERATION_ID_REUSED",
      `operation id ${operationId} belongs to the key ` +
        JSON.stringify(Buffer.from(id.key).toString("utf8")),
    );
  }
  return id;
}

/**
 * The stamp in the context that the client passed; below everything if there is none.
 *
 * @throws CapstanError `INVALID_ARGUMENT` if it is not a version.
 */
function stampSeenBy({ options }: Operation): Stamp {
  const context = options?.context;
  if (context === undefined) return ZERO_STAMP;
  const stamp = stampOfVersionToken(context);
  if (stamp !== undefined) return stamp;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `context ${JSON.stringify(context.slice(0, 60))} is not a version of this store`,
  );
}

import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { decodeOperationId } from "../../core/model/operation-id.ts";
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
}

/** Or why the write is refused. */
export function givenIn(
  operation: Operation,
  context: CoordinatorContext,
  wallMs: number,
): GivenInWrite | CapstanError {
  try {
    const fixedStamp = fixedStampOf(operation, context);
    const inSession = stampSeenInSession(operation, context.clock, wallMs);
    const inContext = stampSeenBy(operation);
    const seen = compareStamps(inSession, inContext) > 0 ? inSession : inContext;
    expiryOfWrite(operation, fixedStamp, wallMs);
    return { fixedStamp, seen };
  } catch (error) {
    if (error instanceof CapstanError) return error;
    throw error;
  }
}

/**
 * The stamp in the operation's id; undefined if it has none.
 *
 * @throws CapstanError if the id is not one for this key of this keyspace.
 */
function fixedStampOf(
  { operationId, key }: Operation,
  { keyspace, keyspaceHash }: CoordinatorContext,
): Stamp | undefined {
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
  return id.stamp;
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

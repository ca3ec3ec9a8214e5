import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { decodeSessionOperationId } from "../../core/model/operation-id.ts";
import type { Operation } from "../../core/model/operations.ts";
import type { Condition, Identity, WriteAction } from "./commands.ts";
import { invalidVersion } from "./faults.ts";
import { decodeRevision } from "./version.ts";

/**
 * The identity that came with an operation: of an id that the store has handed out, or a key of the
 * user's own. Undefined if none came.
 *
 * @throws CapstanError `INVALID_OPERATION_ID` if it is another keyspace's, or another shard's.
 */
export function identityOf(
  { operationId, shardIndex }: Operation,
  { keyspace, keyspaceHash }: CoordinatorContext,
): Identity | undefined {
  if (operationId === undefined) return undefined;
  const id = decodeSessionOperationId(operationId);
  if (id === undefined) return { type: "own-key", key: operationId };
  if (id.keyspaceHash !== keyspaceHash) {
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `operation id ${operationId} belongs to another keyspace than ${keyspace}`,
    );
  }
  if (id.shardIndex !== undefined && id.shardIndex !== shardIndex) {
    throw new CapstanError(
      "OPERATION_ID_REUSED",
      `operation id ${operationId} belongs to a write of another key`,
    );
  }
  return { type: "session", session: id.session, sequence: id.sequence };
}

/** What an operation writes: itself, or the members of a batch. */
export function actionsOf(
  operation: Operation,
  context: Pick<CoordinatorContext, "keyspace" | "keyspaceHash">,
): readonly WriteAction[] {
  if (operation.type !== "batch") return [actionOf(operation, operation, context)];
  const members = operation.options?.batch ?? [];
  return members.map((member) => actionOf(member, operation, context));
}

/** A batch's time to live is that of each of its members. */
function actionOf(
  { type, key, value, options }: Operation,
  whole: Operation,
  context: Pick<CoordinatorContext, "keyspace" | "keyspaceHash">,
): WriteAction {
  const condition = conditionOf(options, context);
  if (type === "delete") return { type: "delete", key, condition };
  if (type !== "put" || value === undefined) {
    throw new CapstanError(
      "NOT_SUPPORTED",
      `the strategy raft of the keyspace "${context.keyspace}" does not offer ${type}`,
    );
  }
  const ttlMs = options?.ttlMs ?? whole.options?.ttlMs ?? 0;
  return { type: "put", key, value, ttlMs, condition };
}

function conditionOf(
  options: Operation["options"],
  { keyspace, keyspaceHash }: Pick<CoordinatorContext, "keyspace" | "keyspaceHash">,
): Condition | undefined {
  if (options?.ifAbsent === true) return { type: "absent" };
  const version = options?.ifVersion;
  if (version === undefined) return undefined;
  const token = decodeRevision(version);
  if (token === undefined || token.keyspaceHash !== keyspaceHash) {
    throw invalidVersion(version, keyspace);
  }
  return { type: "revision", lifeMark: token.lifeMark, revision: token.revision };
}

import { u32At } from "../../core/model/big-endian.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { NodeId } from "../../core/model/ids.ts";
import { decodeOperationId, encodeOperationId } from "../../core/model/operation-id.ts";
import type { Stamp } from "../../core/model/stamp.ts";

/**
 * What an operation id of a dynamo keyspace says. The stamp names the operation; a retry of it has
 * to go to the node that may have minted it, which remembers it.
 */
export interface OperationName {
  readonly stamp: Stamp;
  /** With a key: who mints it. Without: who made the id, and knows who mints it. */
  readonly node: NodeId;
  /** Undefined in an id that was asked for before there was an operation. */
  readonly key: Uint8Array | undefined;
  /** What tells the operation from another one of its key, beside the key. */
  readonly content?: number | undefined;
}

/** Beside the length of the node's name, which is shorter: what the operation was follows the name. */
const HAS_CONTENT = 0x80;
const CONTENT_BYTES = 4;

/** In the place of the key of a stamped id: a length, the node, what the operation was, and the key. */
export function encodeOperationName(keyspaceHash: number, name: OperationName): string {
  const node = Buffer.from(name.node, "utf8");
  const { content } = name;
  const what = Buffer.alloc(content === undefined ? 0 : CONTENT_BYTES);
  if (content !== undefined) what.writeUInt32BE(content >>> 0);
  const length = node.length | (content === undefined ? 0 : HAS_CONTENT);
  const key = Buffer.concat([Buffer.of(length), node, what, name.key ?? Buffer.alloc(0)]);
  return encodeOperationId({ keyspaceHash, stamp: name.stamp, key });
}

/**
 * @throws CapstanError `INVALID_OPERATION_ID` for what was not made for this keyspace,
 * `OPERATION_ID_REUSED` where the id belongs to another key.
 */
export function decodeOperationName(
  operationId: string,
  keyspace: { readonly keyspace: string; readonly keyspaceHash: number },
  key?: Uint8Array,
): OperationName {
  const id = decodeOperationId(operationId);
  const head = id.key?.[0] ?? 0;
  const length = head & ~HAS_CONTENT;
  const contentBytes = (head & HAS_CONTENT) === 0 ? 0 : CONTENT_BYTES;
  const isOurs = id.keyspaceHash === keyspace.keyspaceHash && id.key !== undefined && length > 0;
  if (!isOurs || id.key.length < 1 + length + contentBytes) {
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `operation id ${operationId} was not made for the keyspace ${keyspace.keyspace}`,
    );
  }
  const node = Buffer.from(id.key.subarray(1, 1 + length)).toString("utf8") as NodeId;
  const content = contentBytes === 0 ? undefined : u32At(id.key, 1 + length);
  const rest = id.key.subarray(1 + length + contentBytes);
  const named = rest.length === 0 ? undefined : rest;
  if (named !== undefined && key !== undefined && Buffer.compare(named, key) !== 0) {
    throw new CapstanError(
      "OPERATION_ID_REUSED",
      `operation id ${operationId} belongs to the key ` +
        JSON.stringify(Buffer.from(named).toString("utf8")),
    );
  }
  return { stamp: id.stamp, node, key: named, content };
}

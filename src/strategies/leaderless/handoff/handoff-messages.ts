import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import { type KeyedRecord, splitPayload } from "../record.ts";

/** From a coordinator to a replica that holds the key's record: these others may lack it. */
export interface HintMessage {
  readonly type: "hint";
  /** Always 0: no answer is due. */
  readonly requestId: number;
  readonly targets: readonly NodeId[];
  readonly key: Uint8Array;
}

/** Records for a replica that may lack them: to be merged, and acknowledged when durable. */
export interface HandoffMessage {
  readonly type: "handoff";
  readonly requestId: number;
  readonly records: readonly KeyedRecord[];
}

export interface HandoffAck {
  readonly type: "handoff-ack";
  readonly requestId: number;
  /** Places of the records that the replica does not take, as each is too large with what it holds. */
  readonly refused?: readonly number[];
}

const MAX_NODE_CHARACTERS = 255;

export function writeHint(message: HintMessage, writer: ByteWriter): void {
  writer.u8(message.targets.length);
  for (const node of message.targets) writer.string(node);
  writer.raw(message.key);
}

/** Throws `MalformedBytesError`, as the next one does. What they answer is the caller's own. */
export function readHint(reader: ByteReader, requestId: number): HintMessage {
  const count = reader.u8();
  const targets = Array.from({ length: count }, () => reader.string(MAX_NODE_CHARACTERS) as NodeId);
  const key = Uint8Array.from(reader.raw(reader.remaining));
  if (key.length === 0) throw new MalformedBytesError("a hint without a key");
  return { type: "hint", requestId, targets, key };
}

export function writeHandoff(message: HandoffMessage, writer: ByteWriter): void {
  writer.u16(message.records.length);
  for (const { payload } of message.records) writer.bytes(payload);
}

export function readHandoff(
  reader: ByteReader,
  requestId: number,
  check: (record: Uint8Array) => void,
): HandoffMessage {
  const count = reader.u16();
  if (count > reader.remaining) {
    throw new MalformedBytesError(`${count} records in ${reader.remaining} bytes`);
  }
  const records = Array.from({ length: count }, () =>
    splitPayload(Uint8Array.from(reader.bytes()), check),
  );
  reader.end();
  return { type: "handoff", requestId, records };
}

/** Nothing where all was taken. */
export function writeHandoffAck({ refused = [] }: HandoffAck, writer: ByteWriter): void {
  for (const place of refused) writer.u16(place);
}

export function readHandoffAck(reader: ByteReader, requestId: number): HandoffAck {
  if (reader.remaining === 0) return { type: "handoff-ack", requestId };
  const refused: number[] = [];
  while (reader.remaining > 0) refused.push(reader.u16());
  return { type: "handoff-ack", requestId, refused };
}

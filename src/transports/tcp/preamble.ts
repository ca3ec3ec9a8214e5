import { DENIALS, type Denial, LANES, type Lane } from "../../core/contracts/transport.ts";
import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";

/**
 * What both ends of a connection say before any frame:
 *
 *     magic "CPST" | version u8 | kind u8 | body length u16 | body
 *
 * The dialer sends a `call`; the acceptor answers with a `welcome` of the same shape, or with a
 * `refusal` and closes; with a `denial` where another process is connected under the caller's id.
 * Whoever is to be dialed, and is not, asks by a `knock` of the same shape whether that is why, and
 * is answered by a `denial` or a `refusal`. A kind of its own for each direction keeps a socket that TCP connected to
 * itself (possible on loopback while nobody listens) from welcoming itself.
 */
export type Preamble =
  | ({ readonly kind: "call" | "welcome" | "knock" } & Introduction)
  | { readonly kind: "refusal"; readonly reason: string }
  | { readonly kind: "denial"; readonly denial: Denial; readonly reason: string };

export interface Introduction {
  readonly lane: Lane;
  /** Eight random bytes in hex, drawn at every start: tells a process from its predecessor. */
  readonly nonce: string;
  /** Rises with each attempt of the dialer: the lanes of one attempt belong together. */
  readonly attempt: number;
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
}

export const PROTOCOL_VERSION = 1;
const PREAMBLE_HEADER_BYTES = 8;
export const MAX_PREAMBLE_BYTES = 1_024;
export const NONCE_BYTES = 8;
/** UTF-8 bytes of a cluster's or a node's name. */
export const MAX_NAME_BYTES = 255;
const MAX_REASON_BYTES = 300;

const MAGIC = Object.freeze([0x43, 0x50, 0x53, 0x54]);
const KINDS = Object.freeze(["call", "welcome", "refusal", "denial", "knock"] as const);

/** Why a peer's preamble was not taken; `fault` is the label that is counted. */
export class PreambleError extends Error {
  override readonly name = "PreambleError";
  readonly fault: "magic" | "version" | "malformed";

  constructor(fault: PreambleError["fault"], message: string) {
    super(message);
    this.fault = fault;
  }
}

export function encodePreamble(preamble: Preamble): Uint8Array {
  const writer = new ByteWriter();
  for (const byte of MAGIC) writer.u8(byte);
  writer.u8(PROTOCOL_VERSION);
  writer.u8(KINDS.indexOf(preamble.kind));
  writer.u16(0);
  switch (preamble.kind) {
    case "refusal":
      writeReason(writer, preamble.reason);
      break;
    case "denial":
      writer.u8(DENIALS.indexOf(preamble.denial));
      writeReason(writer, preamble.reason);
      break;
    default:
      writeIntroduction(writer, preamble);
  }
  const encoded = writer.copy();
  new DataView(encoded.buffer).setUint16(
    PREAMBLE_HEADER_BYTES - 2,
    encoded.length - PREAMBLE_HEADER_BYTES,
  );
  return encoded;
}

/**
 * The length of the preamble that `bytes` begins with, or undefined where too little of it is
 * there to say. Throws `PreambleError` at the first byte that is wrong.
 */
export function preambleLength(bytes: Uint8Array): number | undefined {
  for (let at = 0; at < Math.min(bytes.length, MAGIC.length); at += 1) {
    if (bytes[at] !== MAGIC[at]) throw new PreambleError("magic", "not the protocol of this port");
  }
  const version = bytes[MAGIC.length];
  if (version !== undefined && version !== PROTOCOL_VERSION) {
    throw new PreambleError(
      "version",
      `protocol version ${version} is not spoken here, only ${PROTOCOL_VERSION}`,
    );
  }
  if (bytes.length < PREAMBLE_HEADER_BYTES) return undefined;
  const body = (bytes[6] as number) * 256 + (bytes[7] as number);
  if (PREAMBLE_HEADER_BYTES + body > MAX_PREAMBLE_BYTES) {
    throw new PreambleError("malformed", `a preamble of ${body} bytes`);
  }
  return PREAMBLE_HEADER_BYTES + body;
}

/** `bytes` is exactly one preamble, as `preambleLength` measured it. */
export function decodePreamble(bytes: Uint8Array): Preamble {
  try {
    const kind = KINDS[bytes[MAGIC.length + 1] as number];
    const reader = new ByteReader();
    reader.reset(bytes, PREAMBLE_HEADER_BYTES);
    if (kind === undefined) throw new MalformedBytesError(`kind ${bytes[MAGIC.length + 1]}`);
    const preamble = readBody(kind, reader);
    reader.end();
    return preamble;
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new PreambleError("malformed", `a malformed preamble: ${error.message}`);
  }
}

function readBody(kind: Preamble["kind"], reader: ByteReader): Preamble {
  switch (kind) {
    case "refusal":
      return { kind, reason: readReason(reader) };
    case "denial":
      return { kind, denial: readDenial(reader), reason: readReason(reader) };
    default:
      return { kind, ...readIntroduction(reader) };
  }
}

function writeReason(writer: ByteWriter, reason: string): void {
  writer.string(reason.slice(0, MAX_REASON_BYTES / 3));
}

function readReason(reader: ByteReader): string {
  return printable(reader.string(MAX_REASON_BYTES));
}

function readDenial(reader: ByteReader): Denial {
  const code = reader.u8();
  const denial = DENIALS[code];
  if (denial === undefined) throw new MalformedBytesError(`denial ${code}`);
  return denial;
}

function writeIntroduction(writer: ByteWriter, introduction: Introduction): void {
  writer.u8(LANES.indexOf(introduction.lane));
  writer.raw(Buffer.from(introduction.nonce, "hex"));
  writer.u32(introduction.attempt);
  writer.string(introduction.cluster);
  writer.string(introduction.from);
  writer.string(introduction.to);
}

function readIntroduction(reader: ByteReader): Introduction {
  const laneIndex = reader.u8();
  const lane = LANES[laneIndex];
  if (lane === undefined) throw new MalformedBytesError(`lane ${laneIndex}`);
  return {
    lane,
    nonce: Buffer.from(reader.raw(NONCE_BYTES)).toString("hex"),
    attempt: reader.u32(),
    cluster: reader.string(MAX_NAME_BYTES),
    from: reader.string(MAX_NAME_BYTES),
    to: reader.string(MAX_NAME_BYTES),
  };
}

/** A stranger's words go to a log line: without control characters, and short. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, MAX_REASON_BYTES / 3);
}

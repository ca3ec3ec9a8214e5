import type { ByteReader, ByteWriter } from "../../model/bytes.ts";
import type { ConfigurationOutline, OutlineFields } from "../../model/configuration-outline.ts";
import { MalformedBytesError } from "../../model/malformed-bytes-error.ts";

/**
 * What a node says of a keyspace that its configuration has, to one peer.
 *
 * - `waiting`: it is new to the sender's store, which holds nothing of it and serves nothing of it.
 * - `born`: it may hold something.
 * - `learning`: all that is to be here has to be learned first: it has counted nowhere yet.
 * - `born-with-you`: as `born`; and when it began here, the receiver's store was there, and had none.
 */
export type KeyspaceStanding = (typeof STANDINGS)[number];

const STANDINGS = Object.freeze(["waiting", "born", "born-with-you", "learning"] as const);

/** The part of a hello that only nodes send which have something to tell apart. */
export interface HelloOutline {
  readonly configuration: ConfigurationOutline;
  /** Of every keyspace of the configuration. */
  readonly standings: ReadonlyMap<string, KeyspaceStanding>;
  /** Keyspaces that the configuration leaves out, and of which the receiver may have to learn something. */
  readonly leftOut: readonly string[];
  /** Whether the sender's store outlives its process. */
  readonly persistent: boolean;
}

/** Whoever reads another one takes the whole hello for malformed. */
const FORMAT = 1;
const MAX_NAME_BYTES = 1024;
const MAX_KEYSPACES = 16_384;
const MAX_FIELDS = 1_024;

export function writeHelloOutline(writer: ByteWriter, outline: HelloOutline): void {
  const { configuration, standings, leftOut, persistent } = outline;
  writer.u8(FORMAT);
  writer.u8(persistent ? 1 : 0);
  writeFields(writer, configuration.cluster);
  writer.u16(configuration.keyspaces.size);
  for (const [name, fields] of configuration.keyspaces) {
    writer.string(name);
    writer.u8(STANDINGS.indexOf(standings.get(name) ?? "born"));
    writeFields(writer, fields);
  }
  writer.u16(leftOut.length);
  for (const name of leftOut) writer.string(name);
}

/** Throws `MalformedBytesError`. */
export function readHelloOutline(reader: ByteReader): HelloOutline {
  const format = reader.u8();
  if (format !== FORMAT) throw new MalformedBytesError(`format ${format} of a hello's outline`);
  const persistent = reader.u8() === 1;
  const cluster = readFields(reader);
  const keyspaces = new Map<string, OutlineFields>();
  const standings = new Map<string, KeyspaceStanding>();
  for (let left = countOf(reader, MAX_KEYSPACES); left > 0; left -= 1) {
    const name = reader.string(MAX_NAME_BYTES);
    const code = reader.u8();
    const standing = STANDINGS[code];
    if (standing === undefined) throw new MalformedBytesError(`standing ${code} of a keyspace`);
    standings.set(name, standing);
    keyspaces.set(name, readFields(reader));
  }
  const leftOut: string[] = [];
  for (let left = countOf(reader, MAX_KEYSPACES); left > 0; left -= 1) {
    leftOut.push(reader.string(MAX_NAME_BYTES));
  }
  return { configuration: { cluster, keyspaces }, standings, leftOut, persistent };
}

function writeFields(writer: ByteWriter, fields: OutlineFields): void {
  writer.u16(fields.size);
  for (const [path, hash] of fields) {
    writer.string(path);
    writer.u32(hash);
  }
}

function readFields(reader: ByteReader): OutlineFields {
  const fields = new Map<string, number>();
  for (let left = countOf(reader, MAX_FIELDS); left > 0; left -= 1) {
    const path = reader.string(MAX_NAME_BYTES);
    fields.set(path, reader.u32());
  }
  return fields;
}

function countOf(reader: ByteReader, most: number): number {
  const count = reader.u16();
  if (count > most) throw new MalformedBytesError(`${count} entries in a hello's outline`);
  return count;
}

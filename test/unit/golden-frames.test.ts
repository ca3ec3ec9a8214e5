import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../src/core/model/bytes.ts";
import {
  FRAME_VERSION,
  newFrameHeader,
  newMessageHeader,
  patchFrameSequence,
  patchMessageLength,
  readFrameHeader,
  readMessageHeader,
  writeFrameHeader,
  writeMessageHeader,
} from "../../src/core/model/frames.ts";
import type { ClusterId, Incarnation, NodeId, StoreId } from "../../src/core/model/ids.ts";

import { decodeOperationId, encodeOperationId } from "../../src/core/model/operation-id.ts";
import { decodeValue, encodeValue } from "../../src/core/model/values.ts";
import { versionTokenOf } from "../../src/core/model/version-token.ts";
import { type Hello, readHello, writeHello } from "../../src/core/store/peers/hello.ts";
import {
  type LeaderlessMessage,
  leaderlessCodec,
} from "../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../src/strategies/leaderless/record.ts";
import {
  decodePreamble,
  encodePreamble,
  PROTOCOL_VERSION,
  type Preamble,
} from "../../src/transports/tcp/preamble.ts";

// What nodes of this version say to each other and keep, byte for byte. A change here is a change
// of format: it needs a new version number, and code that still reads the old one.
// `CAPSTAN_REWRITE=1` writes the file anew.

const FILE = new URL("../golden/frames-v1.json", import.meta.url);
const isRewriting = process.env.CAPSTAN_REWRITE === "1";
const golden: Record<string, string> = isRewriting ? {} : JSON.parse(readFileSync(FILE, "utf8"));

/** The bytes that are checked in; or, while the file is written anew, these. */
function kept(name: string, bytes: Uint8Array): Buffer {
  const hex = Buffer.from(bytes).toString("hex");
  if (isRewriting) {
    golden[name] = hex;
    writeFileSync(FILE, `${JSON.stringify(golden, undefined, 2)}\n`);
  }
  return Buffer.from(golden[name] ?? "", "hex");
}

const STAMP = { time: 1_795_000_000_000 * 4_096 + 7, actorHigh: 0xdeadbeef, actorLow: 0x01020304 };
const PROOF = { ...STAMP, time: STAMP.time - 1 };
const KEY = Buffer.from("user/1 é", "utf8");
const VALUE = {
  text: "grün",
  list: [1, -2.5, true, null],
  bytes: new Uint8Array([0, 255]),
  date: new Date("2026-11-22T12:00:00.000Z"),
  big: -(2n ** 80n),
};
const LIVE = makeKeyedRecord(KEY, STAMP, encodeValue(VALUE));
const DEAD = makeKeyedRecord(KEY, PROOF, undefined);

const MESSAGES: Readonly<Record<string, LeaderlessMessage>> = {
  "write, first-hand": {
    type: "write",
    requestId: 1,
    kind: "first-hand",
    proof: undefined,
    keyed: LIVE,
  },
  "write, repair, with a proof": {
    type: "write",
    requestId: 2,
    kind: "repair",
    proof: PROOF,
    keyed: DEAD,
  },
  "write of what expires": {
    type: "write",
    requestId: 10,
    kind: "first-hand",
    proof: undefined,
    keyed: makeKeyedRecord(KEY, STAMP, encodeValue(VALUE), 1_795_000_000_000),
  },
  "write-ack, stored": {
    type: "write-ack",
    requestId: 3,
    verdict: "stored",
    serving: true,
    stamp: undefined,
  },
  "write-ack, of several": {
    type: "write-ack",
    requestId: 3,
    verdict: "stored",
    serving: true,
    stamp: undefined,
    others: [4, 0xffff_fffe],
  },
  "write-ack, newer": {
    type: "write-ack",
    requestId: 0xffff_fffe,
    verdict: "newer",
    serving: false,
    stamp: STAMP,
  },
  read: { type: "read", requestId: 5, stampOnly: true, key: KEY },
  "read-reply": { type: "read-reply", requestId: 6, serving: true, record: LIVE.record },
  "read-reply, nothing": { type: "read-reply", requestId: 7, serving: true, record: undefined },
  range: {
    type: "range",
    requestId: 8,
    purpose: "scan",
    from: KEY,
    to: undefined,
    limitBytes: 65_536,
    limitEntries: 100,
  },
  "range-reply": {
    type: "range-reply",
    requestId: 9,
    purpose: "rebuild",
    serving: true,
    entries: [LIVE, DEAD],
    more: true,
    floor: 0,
    reapable: 0,
  },
};

const HELLO: Hello = {
  clusterName: "orders",
  digest: "0123456789abcdef",
  node: "n1" as NodeId,
  storeId: "00112233445566778899aabbccddeeff" as StoreId,
  incarnation: 3 as Incarnation,
  sequence: 4,
  clusterId: "ffeeddccbbaa99887766554433221100" as ClusterId,
  verdict: "accepted",
  relearns: false,
  rebuilding: false,
  logPosition: 123_456_789,
  wallMs: 1_795_000_000_000,
  founders: ["0011223344556677", "8899aabbccddeeff"],
  outline: undefined,
};

const OUTLINED: Hello = {
  ...HELLO,
  outline: {
    configuration: {
      cluster: new Map([["nodes", 0xcafebabe]]),
      keyspaces: new Map([
        ["audit", new Map([["replicas", 1]])],
        ["users", new Map([["read", 0xffffffff]])],
      ]),
    },
    standings: new Map([
      ["audit", "waiting"],
      ["users", "born-with-you"],
    ]),
    leftOut: ["carts"],
    persistent: true,
  },
};

const PREAMBLES: Readonly<Record<string, Preamble>> = {
  call: {
    kind: "call",
    lane: "bulk",
    nonce: "0102030405060708",
    attempt: 9,
    cluster: "orders",
    from: "n1",
    to: "n2",
  },
  knock: {
    kind: "knock",
    lane: "control",
    nonce: "0102030405060708",
    attempt: 0,
    cluster: "orders",
    from: "n2",
    to: "n1",
  },
  refusal: { kind: "refusal", reason: "not a peer" },
  denial: { kind: "denial", denial: "identity-forked", reason: "another process" },
};

function reader(bytes: Uint8Array): ByteReader {
  const made = new ByteReader();
  made.reset(bytes);
  return made;
}

describe("messages of leaderless strategies", () => {
  test.each(Object.entries(MESSAGES))("%s", (name, message) => {
    const writer = new ByteWriter();
    leaderlessCodec.encode(message, writer);
    const bytes = kept(name, writer.copy());
    expect(leaderlessCodec.decode(reader(bytes))).toEqual(message);
    expect(Buffer.compare(writer.copy(), bytes)).toBe(0);
  });
});

test("a frame of messages", () => {
  const writer = new ByteWriter();
  writeFrameHeader(writer, "messages", 1, 0xffff_ffff, 3);
  const start = writer.length;
  writeMessageHeader(writer, "coordinator", 0xcafe_babe, 17);
  leaderlessCodec.encode(MESSAGES.read as LeaderlessMessage, writer);
  patchMessageLength(writer, start);
  patchFrameSequence(writer, 99);
  const bytes = kept("frame of messages", writer.copy());
  expect(Buffer.compare(writer.copy(), bytes)).toBe(0);
  const frame = reader(bytes);
  const header = newFrameHeader();
  readFrameHeader(frame, header);
  expect(header).toEqual({
    ...{ kind: "messages", clusterTag: 1, senderTag: 0xffff_ffff, receiverTag: 3, sequence: 99 },
  });
  const address = newMessageHeader();
  expect(readMessageHeader(frame, address)).toBe(frame.remaining);
  expect(address).toEqual({ role: "coordinator", keyspaceHash: 0xcafe_babe, shardIndex: 17 });
  expect(bytes[0]).toBe(FRAME_VERSION);
});

test.each([
  ["hello", HELLO],
  ["hello of a store that was followed", { ...HELLO, verdict: "followed", relearns: true }],
  ["hello to a peer with other keyspaces", OUTLINED],
] satisfies [string, Hello][])("a %s", (name, hello) => {
  const writer = new ByteWriter();
  writeHello(writer, hello);
  const bytes = kept(name, writer.copy());
  expect(readHello(reader(bytes))).toEqual(hello);
  expect(Buffer.compare(writer.copy(), bytes)).toBe(0);
});

test.each(Object.entries(PREAMBLES))("the preamble of a connection: %s", (name, preamble) => {
  const bytes = kept(`preamble, ${name}`, encodePreamble(preamble));
  expect(decodePreamble(bytes)).toEqual(preamble);
  expect(Buffer.compare(encodePreamble(preamble), bytes)).toBe(0);
  expect(bytes[4]).toBe(PROTOCOL_VERSION);
});

test("a value", () => {
  const bytes = kept("value", encodeValue(VALUE));
  expect(decodeValue(bytes)).toEqual(VALUE);
  expect(Buffer.compare(encodeValue(VALUE), bytes)).toBe(0);
});

test("a version and an operation id", () => {
  const token = versionTokenOf(STAMP);
  expect(kept("version", Buffer.from(token)).toString()).toBe(token);
  const id = { keyspaceHash: 0xcafe_babe, stamp: STAMP, key: KEY };
  const text = kept("operation id", Buffer.from(encodeOperationId(id))).toString();
  expect(text).toBe(encodeOperationId(id));
  expect(decodeOperationId(text)).toEqual({ ...id, key: new Uint8Array(KEY) });
});

test("nothing else is kept", () => {
  const names = [...Object.keys(MESSAGES), ...Object.keys(PREAMBLES).map((n) => `preamble, ${n}`)];
  const others = ["of a store that was followed", "to a peer with other keyspaces"];
  const hellos = ["hello", ...others.map((other) => `hello ${other}`)];
  const more = ["frame of messages", ...hellos, "value", "version", "operation id"];
  expect(Object.keys(golden).sort()).toEqual([...names, ...more].sort());
});

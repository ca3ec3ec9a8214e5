import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import type { RaftMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { raftCodec } from "../../../../src/strategies/raft/codec.ts";
import {
  proposedRecord,
  writeBody,
  writeWriteBody,
} from "../../../../src/strategies/raft/commands.ts";
import { raftClientMessages } from "../../../support/messages/raft-client-messages.ts";

function encoded(of: RaftMessage): Uint8Array {
  const writer = new ByteWriter();
  raftCodec.encode(of, writer);
  return writer.copy();
}

const decoded = (from: Uint8Array) => raftCodec.decode(new ByteReader(from));

/** Whatever kind of array shows the bytes. */
function plain(of: unknown): unknown {
  return JSON.parse(
    JSON.stringify(of, (_name, value) =>
      value instanceof Uint8Array || value?.type === "Buffer" ? [...(value.data ?? value)] : value,
    ),
  );
}

describe("the codec of raft messages", () => {
  test("calls light what brings a replica nothing of clients to write", () => {
    const isLight = (message: unknown) => raftCodec.isLight?.(message as RaftMessage);
    fc.assert(
      fc.property(raftClientMessages, (of) => {
        expect(isLight(of)).toBe(!of.type.startsWith("propose") || of.type === "propose-reply");
      }),
      { numRuns: 300 },
    );
    const record = new Uint8Array(40);
    expect(isLight({ type: "append", records: [record] })).toBe(false);
    expect(isLight({ type: "snapshot-chunk" })).toBe(false);
    expect(isLight({ type: "append", records: [] })).toBe(true);
    for (const type of ["heartbeat", "vote", "vote-reply", "append-reply", "take-over"]) {
      expect(isLight({ type })).toBe(true);
    }
  });

  test("gives back what was encoded, in bytes of its own", () => {
    fc.assert(
      fc.property(raftClientMessages, (of) => {
        const frame = encoded(of);
        const back = decoded(frame);
        frame.fill(0xee);
        expect(plain(back)).toEqual(plain(of));
      }),
      { numRuns: 300 },
    );
  });

  test("carries messages between replicas too", () => {
    const heartbeat = {
      type: "heartbeat",
      term: 3,
      round: 9,
      commitIndex: 7,
      lastIndex: 8,
    } as const;
    expect(decoded(encoded(heartbeat))).toEqual(heartbeat);
  });

  test("refuses whatever was cut or changed, with the one error that the host expects", () => {
    fc.assert(
      fc.property(raftClientMessages, fc.nat(), fc.nat(255), (of, at, to) => {
        const frame = encoded(of);
        const changed = Uint8Array.from(frame);
        changed[at % frame.length] = to;
        for (const each of [frame.subarray(0, at % frame.length), changed]) {
          try {
            decoded(each);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedBytesError);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("takes no proposal that could not be applied, and no sweep from a client", () => {
    const frame = encoded({
      type: "propose",
      requestId: 1,
      record: proposedRecord(Uint8Array.of(9, 9)),
    });
    expect(() => decoded(frame)).toThrow("command type 9");
    const writer = new ByteWriter();
    writeBody(writer, { type: "sweep", keys: [], sessions: [], slots: [], ownKeys: [] });
    const sweep = encoded({ type: "propose", requestId: 1, record: proposedRecord(writer.copy()) });
    expect(() => decoded(sweep)).toThrow("a client's sweep");
  });
});

test("a peer's write of a row that no client can name is refused", () => {
  const proposal = (first: number): RaftMessage => {
    const writer = new ByteWriter();
    const key = Uint8Array.of(first, 0x62);
    const action = { type: "delete", key, condition: undefined } as const;
    writeWriteBody(writer, undefined, [action]);
    return { type: "propose", requestId: 1, record: proposedRecord(writer.copy()) };
  };
  const pass = (message: RaftMessage) => {
    const writer = new ByteWriter();
    raftCodec.encode(message, writer);
    return raftCodec.decode(new ByteReader(writer.copy()));
  };
  expect(pass(proposal(0x61))).toMatchObject({ type: "propose" });
  expect(() => pass(proposal(0xff))).toThrow(MalformedBytesError);
});

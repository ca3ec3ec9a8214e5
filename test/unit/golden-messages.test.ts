import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MessageCodec } from "../../src/core/contracts/machine.ts";
import { ByteReader, ByteWriter } from "../../src/core/model/bytes.ts";
import { type DynamoMessage, dynamoCodec } from "../../src/strategies/dynamo/messages.ts";
import {
  type LeaderlessMessage,
  leaderlessCodec,
} from "../../src/strategies/leaderless/messages.ts";
import type { ClientMessage } from "../../src/strategies/raft/client-messages.ts";
import { raftCodec } from "../../src/strategies/raft/codec.ts";
import type { PairMessage } from "../../src/strategies/raft/pair-messages.ts";
import type { PeerMessage } from "../../src/strategies/raft/peer-messages.ts";
import { dynamoMessages } from "../support/messages/dynamo-messages.ts";
import { leaderlessMessages } from "../support/messages/leaderless-messages.ts";
import { LEADERLESS_SAMPLES } from "../support/messages/leaderless-samples.ts";
import { PAIR_MESSAGES } from "../support/messages/pair-messages.ts";
import { raftClientMessages } from "../support/messages/raft-client-messages.ts";
import { RAFT_PEER_MESSAGES } from "../support/messages/raft-peer-messages.ts";

// What machines of this version say to each other, byte for byte, and what it means. A change here is
// a change of format: it needs a new version number, and code that still reads the old one.
// `CAPSTAN_REWRITE=1` writes the file anew, with messages that are drawn from the seed.

interface Kept {
  readonly language: string;
  readonly bytes: string;
  readonly message: unknown;
}

const FILE = new URL("../golden/messages-v1.ndjson", import.meta.url);
const EACH = 3;
const DRAWN = 4_000;

// biome-ignore lint/suspicious/noExplicitAny: each codec's message type is its own affair
type AnyCodec = MessageCodec<any>;

interface Language {
  readonly codec: AnyCodec;
  /** Whoever adds a message is told so by the compiler, and by the test to keep one of it. */
  readonly types: Readonly<Record<string, true>>;
  draw(): readonly unknown[];
}

type TypesOf<Message extends { readonly type: string }> = Readonly<Record<Message["type"], true>>;

const LEADERLESS: TypesOf<LeaderlessMessage> = {
  ...({ write: true, "write-ack": true, read: true, "read-reply": true } as const),
  ...({ range: true, "range-reply": true, settle: true, reconcile: true } as const),
  ...({ hint: true, handoff: true, "handoff-ack": true, "at-epoch": true } as const),
  ...({ "place-map": true, "place-wanted": true, "place-prepare": true } as const),
  ...({ "place-accept": true, "place-state": true, "place-overdue": true } as const),
  ...({ "place-recover": true, standing: true } as const),
};
const DYNAMO: Readonly<
  Record<Exclude<DynamoMessage["type"], LeaderlessMessage["type"]> | "write", true>
> = {
  ...({ mint: true, minted: true, recall: true, delta: true, gap: true, write: true } as const),
};
const RAFT_CLIENTS: TypesOf<ClientMessage> = {
  ...({ propose: true, "propose-reply": true, read: true, "read-reply": true } as const),
  ...({ range: true, "range-reply": true, refused: true } as const),
  ...({ members: true, "members-reply": true, recover: true } as const),
  ...({ "propose-again": true, "is-proposed": true } as const),
};
const RAFT_REPLICAS: TypesOf<PeerMessage | PairMessage> = {
  ...({ vote: true, "vote-reply": true, append: true, "append-reply": true } as const),
  ...({ heartbeat: true, "heartbeat-reply": true, "take-over": true, dismissal: true } as const),
  ...({ "read-index": true, "read-index-reply": true, rest: true, stir: true } as const),
  ...({ "snapshot-chunk": true, "snapshot-reply": true, "pairs-begin": true } as const),
  ...({ "pair-heartbeat": true, "pair-reply": true } as const),
  ...({ "pair-question": true, "pair-answer": true } as const),
};

const LANGUAGES: Readonly<Record<string, Language>> = {
  leaderless: {
    codec: leaderlessCodec,
    types: LEADERLESS,
    draw: () => [...sample(leaderlessMessages), ...LEADERLESS_SAMPLES],
  },
  dynamo: { codec: dynamoCodec, types: DYNAMO, draw: () => sample(dynamoMessages) },
  "raft, with clients": {
    ...{ codec: raftCodec, types: RAFT_CLIENTS },
    draw: () => sample(raftClientMessages),
  },
  "raft, among replicas": {
    ...{ codec: raftCodec, types: RAFT_REPLICAS },
    draw: () => [...RAFT_PEER_MESSAGES, ...PAIR_MESSAGES],
  },
};

function sample(of: fc.Arbitrary<unknown>): readonly unknown[] {
  return fc.sample(of, { seed: 1, numRuns: DRAWN });
}

function encoded(codec: AnyCodec, message: unknown): string {
  const writer = new ByteWriter();
  codec.encode(message, writer);
  return Buffer.from(writer.copy()).toString("hex");
}

function decoded(codec: AnyCodec, bytes: string): unknown {
  const reader = new ByteReader();
  reader.reset(Buffer.from(bytes, "hex"));
  return codec.decode(reader);
}

/** As JSON has it: bytes in hex, maps as pairs, and what is not there by a word. */
function shown(message: unknown): unknown {
  if (message === undefined) return "(undefined)";
  if (typeof message === "bigint") return `${message}n`;
  if (message instanceof Uint8Array) return `hex ${Buffer.from(message).toString("hex")}`;
  if (message instanceof Map) return [...message].map(([key, value]) => [shown(key), shown(value)]);
  if (Array.isArray(message)) return message.map(shown);
  if (typeof message !== "object" || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([name, value]) => [name, shown(value)]));
}

function typeOf(message: unknown): string {
  const { type } = message as { readonly type: string };
  return type;
}

/** The first few of each type. */
function chosen(codec: AnyCodec, drawn: readonly unknown[]): readonly Omit<Kept, "language">[] {
  const counts = new Map<string, number>();
  const kept: Omit<Kept, "language">[] = [];
  for (const message of drawn) {
    const type = typeOf(message);
    const count = counts.get(type) ?? 0;
    if (count >= EACH) continue;
    counts.set(type, count + 1);
    const bytes = encoded(codec, message);
    kept.push({ bytes, message: shown(decoded(codec, bytes)) });
  }
  return kept;
}

if (process.env.CAPSTAN_REWRITE === "1") {
  const lines = Object.entries(LANGUAGES).flatMap(([language, { codec, draw }]) =>
    chosen(codec, draw()).map((kept) => JSON.stringify({ language, ...kept })),
  );
  writeFileSync(FILE, lines.map((line) => `${line}\n`).join(""));
}
const golden = readFileSync(FILE, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as Kept);

describe.each(Object.entries(LANGUAGES))("messages of %s", (name, { codec, types }) => {
  const kept = golden.filter(({ language }) => language === name);

  test("mean what they meant, and are said as they were", () => {
    for (const { bytes, message } of kept) {
      const read = decoded(codec, bytes);
      expect(shown(read)).toEqual(message);
      expect(encoded(codec, read)).toBe(bytes);
    }
  });

  test("are there of every type that is said", () => {
    const there = new Set(kept.map(({ message }) => typeOf(message)));
    expect([...there].sort()).toEqual(Object.keys(types).sort());
  });
});

test("nothing else is kept", () => {
  const languages = new Set(golden.map(({ language }) => language));
  expect([...languages]).toEqual(Object.keys(LANGUAGES));
});

import fc from "fast-check";
import { ByteWriter } from "../../../src/core/model/bytes.ts";
import type { NodeId, StoreId } from "../../../src/core/model/ids.ts";
import type { Applied } from "../../../src/strategies/raft/apply.ts";
import type { ClientMessage } from "../../../src/strategies/raft/client-messages.ts";
import { proposedRecord, writeBody } from "../../../src/strategies/raft/commands.ts";
import { makeRecord } from "../../../src/strategies/raft/record.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const bytes = fc.uint8Array({ maxLength: 20 });
const record = fc
  .tuple(whole, fc.oneof(fc.constant(0), whole), bytes)
  .map(([revision, expiry, value]) => makeRecord(Buffer.from("k"), revision, expiry, value).record);
const optional = <T>(of: fc.Arbitrary<T>) => fc.oneof(fc.constant(undefined), of);
const way = fc.constantFrom("strong" as const, "lease" as const, "local" as const);
const standpoint = { lifeMark: u32, appliedIndex: whole, voters: fc.nat(255) };
const proposed = fc.tuple(whole, u32).map(([sequence, actor]) => {
  const writer = new ByteWriter();
  const session = { time: 1, actorHigh: actor, actorLow: 2 };
  writeBody(writer, { type: "resolve", session, sequence });
  return proposedRecord(writer.copy());
});
const node = fc.constantFrom("n1" as NodeId, "n2" as NodeId, "n3" as NodeId);
const nodes = fc.array(node, { maxLength: 4 });
const member = fc.record({ node, storeId: fc.constantFrom("" as StoreId, "s1" as StoreId) });
const members = fc.array(member, { maxLength: 4 });
const applied: fc.Arbitrary<Applied> = fc.oneof(
  fc.record({ type: fc.constant("written" as const), revision: whole }),
  fc.record({
    type: fc.constant("rejected" as const),
    reason: fc.constantFrom("version-mismatch" as const, "exists" as const, "absent" as const),
    key: bytes,
    current: optional(record),
  }),
  fc.record({
    type: fc.constant("resolved" as const),
    outcome: fc.constantFrom("applied" as const, "not-applied" as const, "unknown" as const),
  }),
  fc.constantFrom<Applied>(
    { type: "swept" },
    { type: "fenced" },
    { type: "reused" },
    { type: "full" },
    { type: "forgotten" },
    { type: "forgotten", floor: 1_234_567_890_123 },
  ),
);
/** What coordinators and replicas of a raft keyspace say to each other. */
export const raftClientMessages: fc.Arbitrary<ClientMessage> = fc.oneof(
  fc.record({ type: fc.constant("recover" as const), requestId: u32, isBegun: fc.boolean() }),
  fc.record({
    type: fc.constantFrom("propose" as const, "propose-again" as const),
    requestId: u32,
    record: proposed,
  }),
  fc.record({ type: fc.constant("is-proposed" as const), requestId: u32 }),
  fc.record({
    type: fc.constant("read" as const),
    requestId: u32,
    way,
    seen: optional(fc.record({ lifeMark: u32, index: whole })),
    key: bytes,
  }),
  fc.record({
    type: fc.constant("range" as const),
    requestId: u32,
    way,
    from: optional(bytes),
    to: optional(bytes),
    limitBytes: u32,
    limitEntries: u32,
  }),
  fc.record({
    type: fc.constant("propose-reply" as const),
    requestId: u32,
    ...standpoint,
    applied,
  }),
  fc.record({
    type: fc.constant("read-reply" as const),
    requestId: u32,
    ...standpoint,
    way,
    record: optional(record),
  }),
  fc.record({
    type: fc.constant("range-reply" as const),
    requestId: u32,
    ...standpoint,
    way,
    entries: fc.array(fc.record({ key: bytes, record }), { maxLength: 4 }),
    continueAfter: optional(bytes),
  }),
  fc.record({
    type: fc.constant("refused" as const),
    requestId: u32,
    reason: fc.constantFrom("not-leader" as const, "backlog" as const, "other-life" as const),
    leader: fc.constantFrom(undefined, "n1" as NodeId),
    voters: nodes,
    configurationIndex: whole,
    configurationGroup: u32,
  }),
  fc.record({
    type: fc.constant("members" as const),
    requestId: u32,
    goal: nodes,
    base: optional(fc.record({ group: u32, index: whole })),
    renews: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("members-reply" as const),
    requestId: u32,
    configuration: fc.record({
      voters: fc.array(member, { minLength: 1, maxLength: 4 }),
      outgoing: members,
      learners: members,
      goal: optional(fc.record({ voters: members, learners: members })),
    }),
  }),
);

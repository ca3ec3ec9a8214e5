import type { ByteReader, ByteWriter } from "../../model/bytes.ts";
import type { ClusterId, Incarnation, NodeId, StoreId } from "../../model/ids.ts";
import { MalformedBytesError } from "../../model/malformed-bytes-error.ts";
import { type HelloOutline, readHelloOutline, writeHelloOutline } from "./hello-outline.ts";

/**
 * What the sender of a hello thinks of the session that its frame's header names as receiver.
 *
 * - `unheard`: nothing: either it has heard no hello of it, or not yet one that proves to be fresh.
 * - `accepted`: frames of that session are taken.
 * - `configuration-mismatch`: the two configurations disagree.
 * - `cluster-mismatch`: the two belong to clusters that were born apart.
 * - `identity-conflict`: another live process answers under this node id: both have answered what was
 *   said after both had been heard.
 * - `old-copy`: a later start of this very store was met before, or one with more in its log.
 * - `identity-taken`: another session was accepted under this node id, and was not found dead yet. It
 *   may be the earlier life of this very node.
 * - `followed`: another store of its node was met after this one: what that one has acknowledged it
 *   lacks, though it may have all of its own.
 */
export type Verdict = (typeof VERDICTS)[number];

const VERDICTS = Object.freeze([
  "unheard",
  "accepted",
  "configuration-mismatch",
  "cluster-mismatch",
  "identity-conflict",
  "old-copy",
  "identity-taken",
  "followed",
] as const);

/** Beside the verdict, in its byte. */
const RELEARNS = 0x80;
const REBUILDING = 0x40;

/** A node's introduction of itself to one peer; its heartbeat as well. */
export interface Hello {
  readonly clusterName: string;
  readonly digest: string;
  readonly node: NodeId;
  readonly storeId: StoreId;
  readonly incarnation: Incarnation;
  /** Rises with every hello of one session to one peer: a lower one was overtaken. */
  readonly sequence: number;
  readonly clusterId: ClusterId | undefined;
  readonly verdict: Verdict;
  /**
   * The sender was told that its store was followed, and counts with no shard that may lack what the
   * store in between has acknowledged before it has learned that shard anew.
   */
  readonly relearns: boolean;
  /**
   * Some replica of the sender's is being rebuilt: which, it says in messages, as soon as the receiver
   * can be reached.
   */
  readonly rebuilding: boolean;
  /**
   * How far the sender's log would survive a power cut; to a node that has not accepted this start
   * of it yet: how far it was when this start opened it.
   *
   * Of one store and one listener what is said never falls: what was said by start i ≤ what start
   * i + 1 opened with. A copy breaks that, however much it has written of its own since.
   */
  readonly logPosition: number;
  readonly wallMs: number;
  /**
   * Store ids, cut to `FOUNDER_PREFIX` characters, that the nodes had when the cluster was born, in
   * the order of the configuration's nodes. Only for a receiver that knows no cluster id yet, and
   * undefined if the sender does not know.
   */
  readonly founders: readonly string[] | undefined;
  /**
   * Only for a receiver of which it was heard that its digest is another one, or where one of the two
   * has a keyspace that is new to its store.
   */
  readonly outline: HelloOutline | undefined;
}

const FOUNDER_PREFIX = 16;

const MAX_NAME_BYTES = 1024;
const MAX_FOUNDERS = 4096;

export function founderOf(storeId: StoreId): string {
  return storeId.slice(0, FOUNDER_PREFIX);
}

export function writeHello(writer: ByteWriter, hello: Hello): void {
  writer.string(hello.clusterName);
  writer.string(hello.digest);
  writer.string(hello.node);
  writer.string(hello.storeId);
  writer.u64(hello.incarnation);
  writer.u32(hello.sequence);
  writer.string(hello.clusterId ?? "");
  const flags = (hello.relearns ? RELEARNS : 0) | (hello.rebuilding ? REBUILDING : 0);
  writer.u8(VERDICTS.indexOf(hello.verdict) | flags);
  writer.u64(hello.logPosition);
  writer.u64(Math.max(0, Math.floor(hello.wallMs)));
  writer.u16(hello.founders?.length ?? 0);
  for (const founder of hello.founders ?? []) writer.string(founder);
  if (hello.outline !== undefined) writeHelloOutline(writer, hello.outline);
}

/** Throws `MalformedBytesError`, also for what follows the hello. */
export function readHello(reader: ByteReader): Hello {
  const clusterName = reader.string(MAX_NAME_BYTES);
  const digest = reader.string(MAX_NAME_BYTES);
  const node = reader.string(MAX_NAME_BYTES) as NodeId;
  const storeId = reader.string(MAX_NAME_BYTES) as StoreId;
  const incarnation = reader.u64() as Incarnation;
  const sequence = reader.u32();
  const clusterId = reader.string(MAX_NAME_BYTES) as ClusterId;
  const judged = reader.u8();
  const verdict = verdictOf(judged & ~(RELEARNS | REBUILDING));
  const logPosition = reader.u64();
  const wallMs = reader.u64();
  const founders = readFounders(reader);
  const outline = reader.remaining > 0 ? readHelloOutline(reader) : undefined;
  reader.end();
  return {
    clusterName,
    digest,
    node,
    storeId,
    incarnation,
    sequence,
    clusterId: clusterId === "" ? undefined : clusterId,
    verdict,
    relearns: (judged & RELEARNS) !== 0,
    rebuilding: (judged & REBUILDING) !== 0,
    logPosition,
    wallMs,
    founders,
    outline,
  };
}

function verdictOf(code: number): Verdict {
  const verdict = VERDICTS[code];
  if (verdict === undefined) throw new MalformedBytesError(`verdict ${code} of a hello`);
  return verdict;
}

function readFounders(reader: ByteReader): readonly string[] | undefined {
  const count = reader.u16();
  if (count === 0) return undefined;
  if (count > MAX_FOUNDERS) throw new MalformedBytesError(`${count} founders of a cluster`);
  const founders: string[] = [];
  for (let at = 0; at < count; at += 1) founders.push(reader.string(MAX_NAME_BYTES));
  return founders;
}

import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { optionAt, readHybridTime } from "../../../core/model/wire-fields.ts";
import { type KeySpan, Summary } from "../anti-entropy/fingerprint.ts";

/**
 * - `promise`: begin no event up to `upTo` any more, and say how you fare.
 * - `span`: do you hold the same there, of events in `after < time ≤ upTo`? If so, take nothing
 *   unknown of them from now on.
 * - `adopt`: everybody holds the same everywhere: `upTo` is the floor.
 * - `reap`: everybody has that floor.
 */
export type SettleStep =
  | { readonly step: "promise"; readonly epoch: number; readonly reapable: HybridTime }
  | {
      readonly step: "promised";
      readonly verdict: PromiseVerdict;
      /** On a node that stands in: more than 0 while it has copies that are not handed over. */
      readonly copies: number;
      readonly fence: HybridTime;
      readonly reapable: HybridTime;
    }
  | {
      readonly step: "span";
      readonly after: HybridTime;
      readonly span: KeySpan;
      readonly sum: Summary;
    }
  | {
      readonly step: "spanned";
      readonly verdict: SpanVerdict;
      /** With `too-long`: how far the receiver can tell at once. */
      readonly to: Uint8Array | undefined;
    }
  | { readonly step: "adopt" }
  | { readonly step: "adopted"; readonly verdict: "adopted" | "void" }
  | { readonly step: "reap"; readonly reapable: HybridTime };

/** `rebuilding`, `elsewhere` (another map) and `ahead` (more is promised already): no. */
export type PromiseVerdict = "promised" | "rebuilding" | "elsewhere" | "ahead";
/** `void`: the receiver knows nothing of this round any more. */
export type SpanVerdict = "equal" | "differs" | "too-long" | "void";

/** How the replicas of a shard agree on a floor. `upTo` names the round: it rises. */
export type SettleMessage = {
  readonly type: "settle";
  /** Of a span and its answer; 0 in all others. */
  readonly requestId: number;
  readonly upTo: HybridTime;
} & SettleStep;

const STEPS: readonly SettleStep["step"][] = Object.freeze([
  "promise",
  "promised",
  "span",
  "spanned",
  "adopt",
  "adopted",
  "reap",
]);
const PROMISES: readonly PromiseVerdict[] = Object.freeze([
  "promised",
  "rebuilding",
  "elsewhere",
  "ahead",
]);
const SPANS: readonly SpanVerdict[] = Object.freeze(["equal", "differs", "too-long", "void"]);

export function writeSettle(message: SettleMessage, writer: ByteWriter): void {
  writer.u64(message.upTo);
  writer.u8(STEPS.indexOf(message.step));
  switch (message.step) {
    case "promise":
      writer.u32(message.epoch);
      writer.u64(message.reapable);
      break;
    case "promised":
      writer.u8(PROMISES.indexOf(message.verdict));
      writer.u32(message.copies);
      writer.u64(message.fence);
      writer.u64(message.reapable);
      break;
    case "span":
      writer.u64(message.after);
      writeBound(writer, message.span.from);
      writeBound(writer, message.span.to);
      writer.u32(message.sum.count);
      writer.u32(message.sum.high);
      writer.u32(message.sum.low);
      break;
    case "spanned":
      writer.u8(SPANS.indexOf(message.verdict));
      writeBound(writer, message.to);
      break;
    case "adopt":
      break;
    case "adopted":
      writer.u8(message.verdict === "adopted" ? 1 : 0);
      break;
    case "reap":
      writer.u64(message.reapable);
      break;
  }
}

/** Throws `MalformedBytesError`. What it answers is the caller's own. */
export function readSettle(reader: ByteReader, requestId: number): SettleMessage {
  const upTo = readHybridTime(reader);
  const step = optionAt(STEPS, reader.u8(), "step");
  const message = { type: "settle", requestId, upTo, ...readStep(step, reader) } as const;
  reader.end();
  return message;
}

function readStep(step: SettleStep["step"], reader: ByteReader): SettleStep {
  switch (step) {
    case "promise":
      return { step, epoch: reader.u32(), reapable: readHybridTime(reader) };
    case "promised":
      return {
        step,
        verdict: optionAt(PROMISES, reader.u8(), "promise"),
        copies: reader.u32(),
        fence: readHybridTime(reader),
        reapable: readHybridTime(reader),
      };
    case "span":
      return readSpan(reader);
    case "spanned":
      return { step, verdict: optionAt(SPANS, reader.u8(), "span verdict"), to: readBound(reader) };
    case "adopt":
      return { step };
    case "adopted":
      return { step, verdict: optionAt(["void", "adopted"] as const, reader.u8(), "adoption") };
    case "reap":
      return { step, reapable: readHybridTime(reader) };
  }
}

function readSpan(reader: ByteReader): SettleStep {
  const after = readHybridTime(reader);
  const span = { from: readBound(reader), to: readBound(reader) };
  const { from, to } = span;
  if (from !== undefined && to !== undefined && Buffer.compare(from, to) >= 0) {
    throw new MalformedBytesError("a span that ends where it begins, or before");
  }
  const sum = new Summary();
  sum.count = reader.u32();
  sum.high = reader.u32();
  sum.low = reader.u32();
  return { step: "span", after, span, sum };
}

/** A bound of no bytes is none: keys have at least one. */
function writeBound(writer: ByteWriter, bound: Uint8Array | undefined): void {
  writer.u16(bound?.length ?? 0);
  if (bound !== undefined) writer.raw(bound);
}

function readBound(reader: ByteReader): Uint8Array | undefined {
  const length = reader.u16();
  return length === 0 ? undefined : Buffer.from(reader.raw(length));
}

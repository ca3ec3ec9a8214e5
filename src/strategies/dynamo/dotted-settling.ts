import { ByteWriter } from "../../core/model/bytes.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import type { SettlingRules } from "../leaderless/settling/settling-rules.ts";
import {
  compareActors,
  compareDots,
  type EventDot,
  type TimedDot,
  writeDot,
} from "./causal-context.ts";
import {
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  NOTHING,
  newestTimeOf,
  nothingUpTo,
  type Sibling,
} from "./dotted-record.ts";

/**
 * What a floor does to records of versions side by side. A replica that has one knows all events up
 * to it, of keys that it holds and of those that it does not: its own record, or nothing, says of
 * them all that there is to say. So what comes in is news only with events above the floor, and its
 * versions from below stay only where they are held. The context stays whole: whoever is sent the
 * merge learns that a version which it still has is over.
 */
export const dottedSettling: SettlingRules = Object.freeze({
  hasContexts: true,
  timeOf: newestTimeOf,
  admitted(held, incoming, floor) {
    if (held === undefined && newestTimeOf(incoming) <= floor) return undefined;
    const record = decodeRecord(incoming);
    if (record.siblings.every(({ time }) => time > floor)) return incoming;
    const own = held === undefined ? NOTHING : decodeRecord(held);
    const isHeld = ({ dot }: Sibling) =>
      own.siblings.some((each) => compareDots(each.dot, dot) === 0);
    // What the held record has replaced, merging drops by itself.
    const siblings = record.siblings.filter(
      (each) => each.time > floor || isHeld(each) || own.context.covers(each.dot, each.time),
    );
    return siblings.length === record.siblings.length
      ? incoming
      : encodeRecord({ ...record, siblings });
  },
  stripped(bytes, upTo) {
    if (newestTimeOf(bytes) <= upTo) return undefined;
    const record = decodeRecord(bytes);
    const gone = record.siblings.filter(({ time }) => time <= upTo).map(eventOf);
    if (gone.length === 0) return bytes;
    let context = record.context.without(gone);
    // A later version of one of their actors cannot be kept: to know it is to know all before it.
    const siblings = record.siblings.filter(
      ({ dot, time }) =>
        time > upTo && !gone.some(({ actor }) => compareActors(actor, dot.actor) === 0),
    );
    // The base may have been all that spoke of them.
    for (const sibling of siblings) context = context.with(eventOf(sibling));
    return encodeRecord({ ...record, context, siblings });
  },
  absentAt: (floor) => encodeRecord(nothingUpTo(floor)),
  buried: (record) => encodeRecord({ ...decodeRecord(record), siblings: [], states: [] }),
  addWithin(sum, key, record, after, upTo) {
    const { context, siblings } = decodeRecord(record);
    const isWithin = ({ time }: { readonly time: HybridTime }) => time > after && time <= upTo;
    // Whoever knows a later event of an actor knows all of them in the window, whichever they are.
    const known = context.entries
      .filter(({ time }) => time > after)
      .map((entry) => (entry.time <= upTo ? entry : { actor: entry.actor, counter: 0 }));
    const alive = siblings.filter(isWithin).map(({ dot }: Sibling) => dot);
    if (known.length + alive.length > 0) sum.addEntry(key, bytesOf(known, alive));
  },
} satisfies SettlingRules);

/** The record, with no name in its context that a floor makes needless. */
export function settledUpTo(record: DottedRecord, floor: HybridTime): DottedRecord {
  const context = record.context.settledUpTo(floor);
  return context === record.context ? record : { ...record, context };
}

function eventOf({ dot, time }: Sibling): TimedDot {
  return { ...dot, time };
}

function bytesOf(known: readonly EventDot[], alive: readonly EventDot[]): Uint8Array {
  const writer = new ByteWriter();
  writer.u16(known.length);
  for (const dot of [...known, ...alive]) writeDot(writer, dot);
  return writer.view();
}

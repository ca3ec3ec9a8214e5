import type { GetResult } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";

/** Of operations on sets this share is about an element that was there before. */
const AGAIN_SHARE = 0.3;
const REMOVAL_SHARE = 0.6;
const DECREMENT_SHARE = 0.4;
const ENABLE_SHARE = 0.55;
const FIELD_REMOVAL_SHARE = 0.15;
/** So many of the latest elements of a key are added, and removed, again. */
const RECENT = 6;
const GREATEST_AMOUNT = 9;

/** Operations of one CRDT, as clients come to think of them. */
export class CrdtOperations {
  readonly #resolver: string;
  /** By key: the latest elements that somebody wanted to add. */
  readonly #recent = new Map<string, string[]>();

  constructor(resolver: string) {
    this.#resolver = resolver;
  }

  /** Of the operations, this share reads the key first. */
  get readFirstShare(): number {
    return this.#resolver === "or-set" ? 0.4 : 0;
  }

  /** @param id what nobody else has written. */
  draw(draw: Draw, key: string, read: GetResult<unknown> | undefined, id: string): unknown {
    switch (this.#resolver) {
      case "g-counter":
        return { increment: draw.whole(1, GREATEST_AMOUNT) };
      case "pn-counter":
        return drawAmount(draw);
      case "g-set":
        return { add: this.#drawElement(draw, key, id) };
      case "or-set":
        return this.#drawChange(draw, key, elementsOf(read), id);
      case "flag":
        return draw.chance(ENABLE_SHARE) ? { enable: true } : { disable: true };
      case "or-map":
        return this.#drawField(draw, key, id);
      default:
        return { set: id };
    }
  }

  #drawChange(draw: Draw, key: string, read: readonly string[], id: string): unknown {
    if (read.length > 0 && draw.chance(REMOVAL_SHARE)) return { remove: draw.pick(read) };
    const element = this.#drawElement(draw, key, id);
    // Blindly, too: of an element that this client has not seen.
    return element !== id && draw.chance(REMOVAL_SHARE) ? { remove: element } : { add: element };
  }

  #drawElement(draw: Draw, key: string, id: string): string {
    const recent = this.#recent.get(key) ?? [];
    this.#recent.set(key, recent);
    if (recent.length > 0 && draw.chance(AGAIN_SHARE)) return draw.pick(recent);
    recent.push(id);
    if (recent.length > RECENT) recent.shift();
    return id;
  }

  /** Fields are of one kind each. */
  #drawField(draw: Draw, key: string, id: string): unknown {
    const field = draw.pick(["count", "tags", "name"] as const);
    if (draw.chance(FIELD_REMOVAL_SHARE)) return { remove: field };
    const update = (operation: unknown) => ({ update: { key: field, operation } });
    if (field === "count") return update({ "pn-counter": drawAmount(draw) });
    if (field === "name") return update({ "lww-register": { set: id } });
    return update({ "or-set": this.#drawChange(draw, key, [], id) });
  }
}

function drawAmount(draw: Draw): unknown {
  const isDecrement = draw.chance(DECREMENT_SHARE);
  const amount = draw.whole(1, GREATEST_AMOUNT);
  return isDecrement ? { decrement: amount } : { increment: amount };
}

function elementsOf(read: GetResult<unknown> | undefined): readonly string[] {
  if (read === undefined || !read.found || read.conflict) return [];
  return (read.value as readonly unknown[]).map(String);
}

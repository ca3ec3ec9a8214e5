import { hashText } from "../../../core/model/hash.ts";
import type { GetResult } from "../../../core/store/api.ts";
import type { Draw } from "../draw.ts";
import { type LargeValues, nameIn } from "../large-values.ts";
import type { Violation } from "../strategy-scenario.ts";
import type { SeenIn } from "./copies.ts";
import { GhostWrites } from "./ghost-writes.ts";
import type { Final, Workload, WriteCall } from "./workloads.ts";

/** Of the writes that know what is there, this share deletes it. */
const DELETE_SHARE = 0.15;

/** How the name of a write stands in its value, and the names of several in what a resolver makes of them. */
interface Form {
  valueWith(id: string): unknown;
  idsIn(value: unknown): readonly string[];
}

const PLAIN: Form = Object.freeze<Form>({
  valueWith: (id) => id,
  idsIn: (value) => [nameIn(String(value))],
});

const JOINED_BY = "+";

const FORMS: Readonly<Record<string, Form>> = Object.freeze({
  union: {
    valueWith: (id) => [id],
    idsIn: (value) => (value as readonly string[]).map((each) => nameIn(String(each))),
  },
  merge: { valueWith: (id) => id, idsIn: (value) => String(value).split(JOINED_BY).map(nameIn) },
});

/** An application's own merge: all of them, in one order. */
export function mergeIds(values: readonly unknown[]): string {
  return values.map(String).sort().join(JOINED_BY);
}

interface VersionCall extends WriteCall {
  readonly isDeletion: boolean;
  /** The version of what was read before it. */
  readonly context: string | undefined;
}

/** Of writes before which nothing is read: so many are made upon the last write's version. */
const UPON_RECEIPT_EVERY = 3;

export interface VersionScene {
  /** Default: no value is. */
  readonly large?: LargeValues;
  /** What a version says that was seen. */
  seenIn(key: string, version: string): Pick<SeenIn, "context" | "unseen">;
}

/** Values that are written once, upon what was read, upon another write, or blindly. */
export class VersionWorkload implements Workload {
  readonly readFirstShare = 0.7;
  readonly ghosts: GhostWrites | undefined;
  /** Where the last writer wins nothing can be said of which versions stay. */
  readonly #keepsSiblings: boolean;
  readonly #refused = new Set<string>();
  readonly #acknowledged: { readonly call: VersionCall; readonly version: string }[] = [];
  readonly #violations: Violation[] = [];

  readonly #form: Form;

  readonly #scene: VersionScene;
  /** By key: the last put that was answered, which another client may build upon. */
  readonly #receipts = new Map<string, { readonly id: string; readonly version: string }>();

  /** @param resolver of those that take puts. */
  constructor(resolver: string, scene: VersionScene) {
    this.#scene = scene;
    this.#form = FORMS[resolver] ?? PLAIN;
    this.#keepsSiblings = resolver !== "lww";
    this.ghosts = this.#keepsSiblings ? new GhostWrites() : undefined;
  }

  draw(draw: Draw, key: string, read: GetResult<unknown> | undefined, id: string): VersionCall {
    const receipt = read === undefined ? this.#receiptFor(key, id) : undefined;
    const context = read?.version ?? receipt?.version;
    const isDeletion = read?.found === true && draw.chance(DELETE_SHARE);
    const seen =
      read === undefined ? (receipt === undefined ? [] : [receipt.id]) : this.#idsIn(read);
    const leavesOut =
      receipt !== undefined && this.#scene.seenIn(key, receipt.version).unseen.length > 0;
    this.ghosts?.add(id, seen, isDeletion, leavesOut);
    const text = isDeletion ? id : (this.#scene.large?.valueFor(key, id) ?? id);
    return {
      id,
      key,
      isDeletion,
      context,
      send: (keyspace, options) => {
        const all = context === undefined ? options : { ...options, context };
        return isDeletion
          ? keyspace.delete(key, all)
          : keyspace.put(key, this.#form.valueWith(text), all);
      },
    };
  }

  begun(): void {
    // Its ghost was made when it was drawn.
  }

  acknowledged(written: WriteCall, version: string): void {
    const call = written as VersionCall;
    if (call.isDeletion && call.context !== undefined) {
      const seen = this.#scene.seenIn(call.key, call.context).context;
      const answered = this.#scene.seenIn(call.key, version).context;
      this.ghosts?.deleted(call.id, { seen, answered });
    }
    if (!call.isDeletion) this.#receipts.set(call.key, { id: call.id, version });
    this.#acknowledged.push({ call, version });
  }

  failed({ id }: WriteCall, isUnknown: boolean): void {
    if (isUnknown) return;
    this.#refused.add(id);
    this.ghosts?.refused(id);
  }

  noteRead(key: string, result: GetResult<unknown>): void {
    for (const id of this.#idsIn(result)) {
      if (!this.#refused.has(id)) continue;
      const message = `${key}: a read found ${id}, whose write was said not to be applied`;
      this.#violations.push({ check: "outcome", message });
    }
  }

  judgeOutcomes(): readonly Violation[] {
    return this.#violations;
  }

  judgeFinal({ key, result, covers, known }: Final): readonly Violation[] {
    const { ghosts } = this;
    if (result === undefined || ghosts === undefined || !this.#keepsSiblings) return [];
    const alive = this.#idsIn(result);
    const violations: Violation[] = [];
    for (const { call, version } of this.#acknowledged) {
      // What is not known in the end at all is another check's finding.
      if (call.key !== key || !covers(version)) continue;
      const isGone = !call.isDeletion && !alive.includes(call.id);
      if (isGone && known !== undefined && !ghosts.mayBeGone(call.id, alive, known)) {
        const message = `${key}: ${call.id} is gone, and no write that is known had seen it`;
        violations.push({ check: "false-dominance", message });
      }
      const back = alive.find((id) => id !== call.id && ghosts.replaces(call.id, id));
      if (back !== undefined) {
        const message = `${key}: ${back} is there, though ${call.id} had replaced or deleted it`;
        violations.push({ check: "resurrection", message });
      }
    }
    return violations;
  }

  /** Drawn from the id alone, so that no other draw of the seed depends on it. */
  #receiptFor(key: string, id: string) {
    const isUpon = hashText(id) % UPON_RECEIPT_EVERY === 0;
    return isUpon ? this.#receipts.get(key) : undefined;
  }

  #idsIn(result: GetResult<unknown>): readonly string[] {
    if (!result.found) return [];
    const values = result.conflict ? result.siblings : [result.value];
    return values.flatMap((each) => this.#form.idsIn(each));
  }
}

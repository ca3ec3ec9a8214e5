import type { OpenedState } from "../contracts/machine.ts";
import { DURABILITIES, type Durability } from "../model/durability.ts";
import type { StoreId } from "../model/ids.ts";
import type { NodeRecords } from "./node-records.ts";
import { founderOf } from "./peers/hello.ts";
import type { KeyspaceStanding } from "./peers/hello-outline.ts";
import { keptKeyspaces } from "./placement-record.ts";
import type { OwnKeyspaces, PeerStanding } from "./seams.ts";

const RECORD = "keyspaces";

/** What this store may lack of a keyspace that its configuration leaves out. */
type Loss = Durability | "followed";

interface KnownKeyspace {
  /** Stores of the peers, cut, that had nothing of it when it began here; none: it is not known. */
  readonly founders: readonly string[];
  readonly loss?: Loss;
}

interface Kept {
  /** Another store of this node has stood in the place of this one. */
  readonly followed: boolean;
  readonly known: Readonly<Record<string, KnownKeyspace>>;
}

export interface KeyspaceBirthsOptions {
  readonly records: NodeRecords;
  /** Those that the configuration has. */
  readonly names: readonly string[];
  readonly isPersistent: boolean;
  /** The keyspace began here with what was to be learned, and none of its replicas has served since. */
  readonly isLearning: (keyspace: string) => boolean;
}

/**
 * How a keyspace begins that is new to this store, in a cluster that was there before it.
 *
 * A keyspace may begin with nothing (`newborn`) only where no other node counts upon anything that
 * this node has acknowledged of it, with whatever store. That is so of a peer whose store never had
 * any of it; and of one that has, if this very store was there, without any, when the keyspace began
 * there: what earlier stores of this node may have said was over by then. And of one that has not
 * counted itself yet. In any other case what is here has to be learned (`empty`). While a peer has
 * not said which it is, or has not accepted this very store, the keyspace waits: it serves nothing,
 * and holds nothing.
 *
 * Invariant: a keyspace is recorded as known before any of its replicas is opened.
 */
export class KeyspaceBirths implements OwnKeyspaces {
  readonly isPersistent: boolean;
  readonly #options: KeyspaceBirthsOptions;
  readonly #waiting = new Set<string>();
  /** Undefined: a store of before this was written down, to which all is known that it is given. */
  #known: Map<string, KnownKeyspace> | undefined;
  #followed = false;
  #origin: OpenedState["origin"] | undefined;

  /** To be made before the placement of this start is written down. */
  constructor(options: KeyspaceBirthsOptions) {
    this.#options = options;
    this.isPersistent = options.isPersistent;
    const bytes = options.records.get(RECORD);
    if (bytes !== undefined) {
      const { followed, known } = JSON.parse(Buffer.from(bytes).toString("utf8")) as Kept;
      this.#followed = followed;
      this.#known = new Map(Object.entries(known));
      return;
    }
    const placed = keptKeyspaces(options.records);
    if (placed === undefined) return;
    this.#known = new Map(placed.map((name) => [name, { founders: [] }]));
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  get waiting(): readonly string[] {
    return [...this.#waiting];
  }

  waits(keyspace: string): boolean {
    return this.#waiting.has(keyspace);
  }

  get leftOut(): readonly string[] {
    return [...(this.#known?.keys() ?? [])].filter((name) => !this.#options.names.includes(name));
  }

  standing(keyspace: string, toStore: StoreId | undefined): KeyspaceStanding {
    if (this.#waiting.has(keyspace)) return "waiting";
    if (this.#options.isLearning(keyspace)) return "learning";
    return this.#wasThere(keyspace, toStore) ? "born-with-you" : "born";
  }

  leftOutTo(toStore: StoreId | undefined, isFollowed: boolean): readonly string[] {
    return this.leftOut.filter((name) => isFollowed || !this.#wasThere(name, toStore));
  }

  /**
   * This start continues a store that was in its cluster: those that it does not know have to wait, and
   * of those that are left out the end of the last start may have cost something, as of all others.
   */
  resume(kept: Durability): void {
    if (this.#known === undefined) return;
    for (const name of this.#options.names) if (!this.#known.has(name)) this.#waiting.add(name);
    const isTailLost = DURABILITIES.indexOf(kept) > 0;
    if (isTailLost) for (const name of this.leftOut) this.#lose(name, kept);
    if (this.isWaiting || (isTailLost && this.leftOut.length > 0)) this.#save();
  }

  /** What the store may lack of those that were left out and are back; forgotten once it is marked. */
  returned(): readonly { readonly name: string; readonly loss: Loss }[] {
    return this.#options.names.flatMap((name) => {
      const loss = this.#known?.get(name)?.loss;
      return loss === undefined ? [] : [{ name, loss }];
    });
  }

  noteMarked(): void {
    for (const { name } of this.returned()) {
      this.#known?.set(name, { founders: this.#known.get(name)?.founders ?? [] });
    }
    this.#save();
  }

  /** Another store of this node has acknowledged what is not here. `done` once that is durable. */
  follow(done: () => void): void {
    this.#followed = true;
    for (const name of this.leftOut) this.#lose(name, "followed");
    this.#known ??= new Map(this.#options.names.map((name) => [name, { founders: [] }]));
    this.#save(done);
  }

  /** The cluster is known: answers with which keyspaces can be opened at once. */
  begin(
    origin: OpenedState["origin"],
    standingsOf: (keyspace: string) => readonly PeerStanding[],
  ): readonly string[] {
    this.#origin = origin;
    const { names } = this.#options;
    if (origin === "newborn") this.#waiting.clear();
    if (origin === "empty") {
      // What nobody has may begin here together with others; all else is there to be learned.
      for (const name of names) {
        const peers = standingsOf(name);
        const isNew = peers.some(({ standing }) => standing === "never" || standing === "waiting");
        if (isNew && this.#decide(peers) !== "empty") this.#waiting.add(name);
      }
      const known = names.filter((name) => !this.#waiting.has(name));
      this.#known = new Map(known.map((name) => [name, { founders: [] }]));
      if (this.isWaiting) this.#save();
    }
    return names.filter((name) => !this.#waiting.has(name));
  }

  /**
   * How the waiting keyspace begins, if it can be told now. `mark` is called before that is written
   * down, `open` once it is, perhaps at once. `isAnew`: with nothing, though others have it who have to
   * learn it, and nobody is left to learn it from.
   */
  review(
    keyspace: string,
    peers: readonly PeerStanding[],
    { mark, open }: Record<"mark" | "open", (origin: "newborn" | "empty", isAnew: boolean) => void>,
  ): void {
    if (this.#origin === undefined || !this.#waiting.has(keyspace)) return;
    const decision = this.#decide(peers);
    if (decision === "wait") return;
    this.#waiting.delete(keyspace);
    const isBorn = decision === "newborn";
    const isAnew = isBorn && isLostToAll(peers);
    mark(decision, isAnew);
    const founders = isBorn ? peers.flatMap(({ storeId }) => storeId ?? []).map(founderOf) : [];
    this.#known ??= new Map();
    this.#known.set(keyspace, { founders });
    this.#save(() => open(decision, isAnew));
  }

  /** That very store was there, and had none, when the keyspace began here. */
  #wasThere(keyspace: string, storeId: StoreId | undefined): boolean {
    const founders = this.#known?.get(keyspace)?.founders ?? [];
    return storeId !== undefined && founders.includes(founderOf(storeId));
  }

  #decide(peers: readonly PeerStanding[]): "newborn" | "empty" | "wait" {
    // Alone there is nobody who could count upon anything.
    let decision: "newborn" | "wait" = "newborn";
    for (const { standing, persistent, acceptsUs } of peers) {
      if (standing === "born" || standing === "left-out") return "empty";
      if (standing === "born-with-you" && this.#followed) return "empty";
      // A store that ends with its process is another one when the keyspace has come to it: it
      // would have to learn from others, and these might be too few.
      const lasts = this.isPersistent && persistent;
      const isSaid = standing !== "unmet" && acceptsUs;
      if (!isSaid || (standing === "never" && !lasts)) decision = "wait";
    }
    return decision;
  }

  #lose(name: string, loss: Loss): void {
    const known = this.#known?.get(name);
    if (known === undefined || known.loss === "followed") return;
    const isMore = loss === "followed" || rankOf(loss) > rankOf(known.loss);
    if (isMore) this.#known?.set(name, { ...known, loss });
  }

  #save(done?: () => void): void {
    const known = Object.fromEntries(this.#known ?? []);
    const text = JSON.stringify({ followed: this.#followed, known } satisfies Kept);
    this.#options.records.put(RECORD, Buffer.from(text, "utf8"), done);
  }
}

/** Somebody learns what somebody had, and nobody has it. */
function isLostToAll(peers: readonly PeerStanding[]): boolean {
  const isOf = (wanted: string) => peers.some(({ standing }) => standing === wanted);
  return isOf("learning") && !isOf("born-with-you");
}

function rankOf(loss: Durability | undefined): number {
  return loss === undefined ? -1 : DURABILITIES.indexOf(loss);
}

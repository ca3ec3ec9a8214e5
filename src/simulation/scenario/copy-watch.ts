import { ByteReader } from "../../core/model/bytes.ts";
import { newFrameHeader, readFrameHeader } from "../../core/model/frames.ts";
import { type Hello, readHello } from "../../core/store/peers/hello.ts";
import type { NodeLife } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { Violation } from "./strategy-scenario.ts";

/**
 * How much further than the copy a node's log has to have been heard of, for all peers to know. The
 * files of the copy may hold a batch that the log had not reported as synced yet.
 */
const MARGIN = 32;

/** A copy, by the store that it is of. */
interface PlacedCopy {
  readonly storeId: string;
  /** Of the sessions that went on from it. */
  readonly tags: Set<number>;
}

/** What one session has said of its store to one listener. */
interface Word {
  readonly storeId: string;
  logPosition: number;
}

/** What a running process has been told by another node. */
interface Ear {
  readonly by: NodeLife;
  /** By session: what it has said by hellos that name the listener's. */
  readonly words: Map<number, Word>;
  /** Sessions that the listener has accepted, in that order. */
  readonly accepted: Set<number>;
  /** The one that it has accepted last; 0 if none. */
  current: number;
}

/** The session of a running process. */
interface Spoken {
  readonly by: NodeLife | undefined;
  readonly tag: number;
}

/**
 * Sees whether a node that goes on from an old copy of its data counts anywhere: nobody is sent a
 * message, or answered with one, but by a node that it has accepted.
 *
 * Let L be a life of a peer, X a store, and C a start of X from an old copy, whose log was at o when
 * it was opened. L *knows* p of X if a session that L had accepted said p by a hello that names L's
 * session, before L accepted another one; and that session did not itself go on from the copy.
 *
 *     L knows p of X, and p > o  ⟹  L sends and takes no message of C.
 *
 * That is what decision 0016 promises, and no more. Peers that know of nothing later, being cut off
 * or down all that time, accept the copy, and go on with it until they meet somebody who knows. What
 * a session said that was never accepted may be a copy's own, for which no healthy store is to be
 * disowned; and a hello that comes when the next session has been accepted is as late as one that
 * was lost. What the copy itself has written since, and said, is nothing that it lacks: a peer that
 * has heard that alone, while it held the copy off, knows nothing.
 *
 * And whatever a store that comes back has, what was acknowledged by one that stood in its place it
 * lacks: if L has accepted sessions of X and then of Y ≠ X,
 *
 *     L accepts a session of X  ⟹  that session has said that it learns anew.
 */
export class CopyWatch {
  readonly #world: SimWorld;
  /** Stores that an old copy was put in the place of, by node. */
  readonly #copies = new Map<string, PlacedCopy>();
  /** The same, for good. */
  readonly #everPlaced = new Set<string>();
  /** By who has heard it and of whom. */
  readonly #ears = new Map<string, Ear>();
  /** Sessions that have said that they learn anew. */
  readonly #relearning = new Set<number>();
  /** By who has said hello. */
  readonly #spoken = new Map<string, Spoken>();
  readonly #reader = new ByteReader();
  readonly #header = newFrameHeader();
  /** A copy has counted with what it lacks, for a peer that could not know. */
  hasCounted = false;
  /** Messages that a copy has sent to somebody who knew, in words. */
  readonly violations: Violation[] = [];

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Listens to what nodes say of themselves, as `everybodyKnows` needs it. */
  listen(): void {
    this.#world.network.onSend = (from, to, frame) => this.#onSend(from, to, frame);
    this.#world.network.onArrival = (from, to, frame) => this.#onArrival(from, to, frame);
  }

  /**
   * Whether every other node runs, and has heard of a log of this store, which the node has now, that
   * has come further than the copy's; or of this store at all, if the copy is of an earlier one.
   */
  everybodyKnows(
    node: string,
    storeId: string | undefined,
    copy: { readonly storeId: string | undefined; readonly logPosition: number },
  ): boolean {
    if (storeId === undefined) return false;
    const present = { storeId, tags: new Set<number>() };
    const least = copy.storeId === storeId ? copy.logPosition + MARGIN : 0;
    return this.#world.nodes.every(
      ({ id }) => id === node || this.#known(id, node, present) >= least,
    );
  }

  /** Called while the node is down. */
  placed(node: string, storeId: string | undefined): void {
    if (storeId === undefined) return;
    this.#copies.set(node, { storeId, tags: new Set() });
    this.#everPlaced.add(`${node} ${storeId}`);
  }

  /** Whether an old copy was put in the place of this store of the node at any time. */
  wasPlaced(node: string, storeId: string | undefined): boolean {
    return this.#everPlaced.has(`${node} ${storeId}`);
  }

  /** How far the life of `id` that runs knows the store to have come, but for the copy; or -1. */
  #known(id: string, node: string, { storeId, tags }: PlacedCopy): number {
    const ear = this.#earOf(id, node);
    let known = -1;
    for (const tag of ear?.accepted ?? []) {
      const word = ear?.words.get(tag);
      if (word?.storeId !== storeId || tags.has(tag)) continue;
      known = Math.max(known, word.logPosition);
    }
    return known;
  }

  #onSend(from: string, to: string, frame: Uint8Array): void {
    const kind = this.#kindOf(frame);
    const copy = this.#copyOf(from);
    if (kind === "hello") {
      const { senderTag, receiverTag } = this.#header;
      this.#spoken.set(from, { by: this.#world.node(from).life, tag: senderTag });
      copy?.tags.add(senderTag);
      const { verdict, relearns } = readHello(this.#reader);
      if (relearns) this.#relearning.add(senderTag);
      if (verdict === "accepted") this.#accepts(from, to, receiverTag);
      return;
    }
    if (copy === undefined || this.hasCounted) return;
    const { openedPosition } = this.#world.node(from).disk;
    if (this.#known(to, from, copy) <= openedPosition) this.hasCounted = true;
    else this.#violate(`${from} went on from an old copy, and counted with ${to}, which knew that`);
  }

  /** Undefined also once it was set aside, or wiped: the data has another name then. */
  #copyOf(node: string): PlacedCopy | undefined {
    const copy = this.#copies.get(node);
    if (copy === undefined || this.#world.node(node).disk.storeId === copy.storeId) return copy;
    this.#copies.delete(node);
    return undefined;
  }

  /** The life of `id` that runs has accepted this session of `node`. */
  #accepts(id: string, node: string, tag: number): void {
    const ear = this.#earOf(id, node);
    if (ear === undefined || ear.current === tag) return;
    if (isFollowed(ear, tag) && !this.#relearning.has(tag)) {
      this.#violate(`${node} went back to a store that was followed, and ${id} took it as it was`);
    }
    ear.accepted.add(tag);
    ear.current = tag;
  }

  #violate(message: string): void {
    if (this.violations.length === 0) this.violations.push({ check: "old-copy", message });
  }

  #onArrival(from: string, to: string, frame: Uint8Array): void {
    const { life } = this.#world.node(to);
    if (life === undefined || this.#kindOf(frame) !== "hello") return;
    const { senderTag, receiverTag } = this.#header;
    const spoken = this.#spoken.get(to);
    if (spoken?.by !== life || spoken.tag !== receiverTag) return;
    const ear = this.#earOf(to, from) ?? newEar(life);
    this.#ears.set(`${to}<${from}`, ear);
    hear(ear, senderTag, readHello(this.#reader));
  }

  #earOf(id: string, node: string): Ear | undefined {
    const ear = this.#ears.get(`${id}<${node}`);
    return ear?.by === this.#world.node(id).life ? ear : undefined;
  }

  /** Leaves the reader behind the header. */
  #kindOf(frame: Uint8Array): "hello" | "messages" {
    this.#reader.reset(frame);
    readFrameHeader(this.#reader, this.#header);
    return this.#header.kind;
  }
}

function newEar(by: NodeLife): Ear {
  return { by, words: new Map(), accepted: new Set(), current: 0 };
}

/** Whether the listener has accepted this session's store before, and another one after that. */
function isFollowed({ words, accepted, current }: Ear, tag: number): boolean {
  const storeId = words.get(tag)?.storeId;
  const isBack = [...accepted].some((each) => words.get(each)?.storeId === storeId);
  return isBack && words.get(current)?.storeId !== storeId;
}

function hear(ear: Ear, tag: number, { storeId, logPosition }: Hello): void {
  const before = ear.words.get(tag);
  // Before a session is accepted nothing that it says is kept: the hello counts with which it is.
  if (before === undefined || !ear.accepted.has(tag)) ear.words.set(tag, { storeId, logPosition });
  else if (ear.current === tag) before.logPosition = Math.max(before.logPosition, logPosition);
}

import type { Level } from "../../../core/model/levels.ts";
import type { EmbeddedKeyspace, GetResult } from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import type { Draw } from "../draw.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

const KEYS: readonly string[] = Object.freeze(["session/1", "session/2"]);
const LEVELS: readonly Level[] = Object.freeze(["one", "one", "quorum"]);
const WRITE_SHARE = 0.4;
const DELETE_SHARE = 0.15;
/** Of the writes that know what is there, this share says so. */
const CONTEXT_SHARE = 0.7;
const MAX_CHASES = 2;

export function isSessionKey(key: string): boolean {
  return KEYS.includes(key);
}

/** A version of a key, and what a client was shown with it. */
export interface ShownVersion {
  readonly version: string;
  readonly values: readonly string[];
  /** Nothing else is alive by it: a read's. Of a write the client knows its own value alone. */
  readonly isAll: boolean;
}

/** What a keyspace's versions say. */
export interface Versions {
  /** Whether the one version of a key includes the other, or is newer. */
  covers(key: string, found: string, seen: string): boolean;
  /** Whether the version is no write's, but says up to when there is nothing. */
  isFloor(key: string, version: string): boolean;
  /**
   * Whether what a read found shows less than what had been seen, where versions are more than
   * points of one order. Undefined: they are not.
   */
  isLess?(key: string, found: ShownVersion | undefined, seen: ShownVersion): boolean;
}

interface Session {
  token: string;
  /** Per key, newest first: what was written or read, without what another of them makes needless. */
  readonly seen: Map<string, readonly ShownVersion[]>;
  /** Of these, those that said that there is nothing: once that is settled, no version says so. */
  readonly gone: Set<string>;
}

/**
 * Clients that carry a session's token from node to node: what they wrote or read of a key is in
 * what they read of it later, at whatever level, or they are told that it cannot be shown.
 */
export class SessionKeys {
  readonly #scene: KeyspaceScene;
  readonly #versions: Versions;
  readonly #sessions = new Map<string, Session>();
  readonly #violations: Violation[] = [];
  #behind = 0;
  #judged = 0;

  constructor(scene: KeyspaceScene, versions: Versions) {
    this.#scene = scene;
    this.#versions = versions;
  }

  /** Reads that were refused rather than show less. */
  get behind(): number {
    return this.#behind;
  }

  get judged(): number {
    return this.#judged;
  }

  async operate(
    client: string,
    draw: Draw,
    node: SimNode,
    another: () => SimNode | undefined,
  ): Promise<Ending> {
    const key = draw.pick(KEYS);
    const session = this.#sessionOf(client);
    const ending = draw.chance(WRITE_SHARE)
      ? await this.#write(client, draw, node, key, session)
      : await this.#read(client, node, key, draw.pick(LEVELS), session);
    for (let chases = draw.whole(0, MAX_CHASES); chases > 0; chases -= 1) {
      const next = another();
      if (next !== undefined) await this.#read(client, next, key, draw.pick(LEVELS), session);
    }
    return ending;
  }

  violations(): readonly Violation[] {
    return this.#violations;
  }

  #sessionOf(client: string): Session {
    const known = this.#sessions.get(client);
    if (known !== undefined) return known;
    const session = { token: "begin", seen: new Map(), gone: new Set<string>() };
    this.#sessions.set(client, session);
    return session;
  }

  async #write(
    client: string,
    draw: Draw,
    node: SimNode,
    key: string,
    session: Session,
  ): Promise<Ending> {
    const { calls } = this.#scene;
    const context = session.seen.get(key)?.[0]?.version;
    const withContext = context !== undefined && draw.chance(CONTEXT_SHARE);
    const isDeletion = withContext && draw.chance(DELETE_SHARE);
    const options = {
      consistency: draw.pick(LEVELS),
      session: session.token,
      ...(withContext && { context }),
    };
    return this.#call(client, node, key, async (keyspace) => {
      const value = `s${calls.begun}`;
      const writing = isDeletion
        ? keyspace.delete(key, options)
        : keyspace.put(key, value, options);
      const { version, session: token } = await calls.alive(node, writing);
      if (isDeletion) session.gone.add(version);
      const values = isDeletion ? [] : [value];
      this.#note(session, key, { version, values, isAll: false }, token);
      return version;
    });
  }

  #read(
    client: string,
    node: SimNode,
    key: string,
    level: Level,
    session: Session,
  ): Promise<Ending> {
    const { calls, world } = this.#scene;
    return this.#call(client, node, key, async (keyspace) => {
      const options = { consistency: level, session: session.token };
      const result = await calls.alive(node, keyspace.get(key, options));
      const { version, session: token } = result;
      const found =
        version === undefined ? undefined : { version, values: valuesOf(result), isAll: true };
      for (const seen of session.seen.get(key) ?? []) {
        this.#judged += 1;
        if (this.#includes(session, key, found, seen)) continue;
        const message =
          `${client} ${key}: a read at ${node.id} (${world.time.nowMs.toFixed(1)} ms) found ` +
          `${textOf(found)}, and the session had seen ${textOf(seen)}`;
        this.#violations.push({ check: "session", message });
      }
      if (found === undefined) return undefined;
      if (!result.found) session.gone.add(found.version);
      this.#note(session, key, found, token);
      return version;
    });
  }

  /** Whether what was found, if anything was, is not less than what the session had seen. */
  #includes(
    { gone }: Session,
    key: string,
    found: ShownVersion | undefined,
    seen: ShownVersion,
  ): boolean {
    const versions = this.#versions;
    if (versions.isLess !== undefined) return !versions.isLess(key, found, seen);
    if (found === undefined) return gone.has(seen.version);
    if (versions.covers(key, found.version, seen.version)) return true;
    if (!versions.isFloor(key, seen.version)) return false;
    // One replica may have the next floor already, and another one not yet: of a key that neither
    // of them holds both say that it is gone.
    if (versions.isFloor(key, found.version)) return true;
    // What was settled then is known to what came later, too, though it need not say so.
    return !versions.covers(key, seen.version, found.version);
  }

  async #call(
    client: string,
    node: SimNode,
    key: string,
    send: (keyspace: EmbeddedKeyspace) => Promise<string | undefined>,
  ): Promise<Ending> {
    const { calls, plan } = this.#scene;
    try {
      calls.noteOk(client, key, `${await send(calls.keyspaceOf(node, plan.name))}`);
      return "ok";
    } catch (error) {
      const { code } = calls.noteFault(client, key, error);
      if (code === "SESSION_BEHIND") this.#behind += 1;
      if (code === "INVALID_SESSION") this.#sessions.delete(client);
      return code === "down" ? "down" : "fault";
    }
  }

  #note(session: Session, key: string, shown: ShownVersion, token: string | undefined): void {
    if (token !== undefined) session.token = token;
    const { covers, isLess } = this.#versions;
    const includes = (one: ShownVersion, other: ShownVersion) =>
      covers.call(this.#versions, key, one.version, other.version);
    const seen = session.seen.get(key) ?? [];
    if (seen.some((each) => includes(each, shown))) return;
    // A write may stand beside what was seen, which it does not show.
    const replaces = shown.isAll || isLess === undefined;
    const left = seen.filter((each) => !(replaces && includes(shown, each)));
    session.seen.set(key, [shown, ...left]);
  }
}

function valuesOf(result: GetResult<unknown>): readonly string[] {
  if (!result.found) return [];
  return result.conflict ? result.siblings.map(String) : [String(result.value)];
}

function textOf(shown: ShownVersion | undefined): string {
  return shown === undefined ? "nothing" : `${shown.version} (${shown.values.join(", ")})`;
}

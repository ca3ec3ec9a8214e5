import type { Level } from "../../../core/model/levels.ts";
import type { EmbeddedKeyspace } from "../../../core/store/api.ts";
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

/** What a keyspace's versions say. */
export interface Versions {
  /** Whether the one version of a key includes the other, or is newer. */
  covers(key: string, found: string, seen: string): boolean;
  /** Whether the version is no write's, but says up to when there is nothing. */
  isFloor(key: string, version: string): boolean;
}

interface Session {
  token: string;
  /** Per key: versions that were written or read, without those that another of them covers. */
  readonly seen: Map<string, readonly string[]>;
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
    const [context] = session.seen.get(key) ?? [];
    const withContext = context !== undefined && draw.chance(CONTEXT_SHARE);
    const isDeletion = withContext && draw.chance(DELETE_SHARE);
    const options = {
      consistency: draw.pick(LEVELS),
      session: session.token,
      ...(withContext && { context }),
    };
    return this.#call(client, node, key, async (keyspace) => {
      const writing = isDeletion
        ? keyspace.delete(key, options)
        : keyspace.put(key, `s${calls.begun}`, options);
      const written = await calls.alive(node, writing);
      if (isDeletion) session.gone.add(written.version);
      this.#note(session, key, written.version, written.session);
      return written.version;
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
      for (const seen of session.seen.get(key) ?? []) {
        this.#judged += 1;
        if (this.#includes(session, key, version, seen)) continue;
        const message =
          `${client} ${key}: a read at ${node.id} (${world.time.nowMs.toFixed(1)} ms) found ` +
          `${version ?? "nothing"}, and the session had seen ${seen}`;
        this.#violations.push({ check: "session", message });
      }
      if (version === undefined) return version;
      if (!result.found) session.gone.add(version);
      this.#note(session, key, version, token);
      return version;
    });
  }

  /** Whether what was found, if anything was, is not less than what the session had seen. */
  #includes({ gone }: Session, key: string, found: string | undefined, seen: string): boolean {
    if (found === undefined) return gone.has(seen);
    const versions = this.#versions;
    // What was settled then is known to what came later, too, though it need not say so.
    if (versions.covers(key, found, seen)) return true;
    return versions.isFloor(key, seen) && !versions.covers(key, seen, found);
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

  #note(session: Session, key: string, version: string, token: string | undefined): void {
    if (token !== undefined) session.token = token;
    const seen = session.seen.get(key) ?? [];
    if (seen.some((each) => this.#versions.covers(key, each, version))) return;
    const left = seen.filter((each) => !this.#versions.covers(key, version, each));
    session.seen.set(key, [version, ...left]);
  }
}

import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { LARGE_VALUE_READ, nameIn } from "../large-values.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";
import type { RaftRarities } from "./raft-rarities.ts";
import type { RaftRecords } from "./raft-records.ts";
import type { RaftSessions } from "./raft-sessions.ts";

/** Twice as likely where it stands twice. */
export const RAFT_READ_LEVELS = Object.freeze([
  "strong",
  "strong",
  "lease",
  "follower",
  "stale",
] as const);

/** Of a session's reads: those that need its token to promise anything come most often. */
export const SESSION_READ_LEVELS = Object.freeze([
  "session",
  "session",
  "stale",
  "stale",
  "follower",
  "strong",
  "lease",
] as const);

export type RaftReadLevel = (typeof SESSION_READ_LEVELS)[number];

/** The reads of clients. */
export class RaftReads {
  readonly #scene: KeyspaceScene;
  readonly #records: RaftRecords;
  readonly #sessions: RaftSessions;
  readonly #rarities: RaftRarities;

  constructor(
    scene: KeyspaceScene,
    records: RaftRecords,
    sessions: RaftSessions,
    rarities: RaftRarities,
  ) {
    this.#scene = scene;
    this.#rarities = rarities;
    this.#records = records;
    this.#sessions = sessions;
  }

  /** @param session the token of the session that it belongs to. */
  async read(
    client: string,
    node: SimNode,
    key: string,
    level: RaftReadLevel,
    session?: string,
  ): Promise<Ending> {
    const { calls, plan, world } = this.#scene;
    const { recorder, versions } = this.#records;
    const call = recorder.call({ client, node: node.id, level, input: { type: "get", key } });
    try {
      const keyspace = calls.keyspaceOf(node, plan.name);
      const options = { consistency: level, ...(session !== undefined && { session }) };
      const term = this.#rarities.termAt(node, key);
      const result = await calls.alive(node, keyspace.get(key, options));
      if (level === "strong" || level === "follower") this.#rarities.onRead(node, key, term);
      const found = result.found && !result.conflict ? (result.value as string) : undefined;
      const value = found === undefined ? undefined : nameIn(found);
      if (found !== value) this.#records.count(LARGE_VALUE_READ);
      const { version } = result;
      const isThere = version !== undefined && value !== undefined;
      if (isThere) versions.set(key, { version, value });
      calls.noteOk(client, key, `${value} ${version}`);
      call.applied(isThere ? { value, version } : {}, { achieved: result.receipt.achieved });
      if (session !== undefined) {
        const event = { client, key, type: "read", version, node: node.id } as const;
        this.#sessions.note(result.session, { ...event, atMs: world.time.nowMs });
      }
      return "ok";
    } catch (error) {
      const { code } = calls.noteFault(client, key, error);
      call.notApplied();
      return code === "down" ? "down" : "fault";
    }
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { type Client, connect } from "../../src/client/index.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { Keyspace } from "../../src/core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
} from "../../src/verification/index.ts";
import { KeptWrites } from "./kept-writes.ts";
import { KEYSPACE, keyInShard, SHARDS } from "./raft-processes.ts";
import { SeededRandom } from "./seeded-random.ts";

const CLIENTS = 6;
/** Between a client's calls: load enough for something to be under way at every kill. */
const PACE_MS = 5;
const CALL_MS = 5_000;
/** Of one write whose outcome is unknown, under its id. */
const MOST_RETRIES = 20;
/** Reads of these levels show the newest, wherever they are answered. */
const READ_LEVELS = ["strong", "lease", "follower"] as const;

export type Recorder = HistoryRecorder<KeyValueInput, KeyValueOutput>;

/**
 * Clients that read and write all the time: each has a key that it alone writes, one write after the
 * other, and there is one key in each shard that all of them write. What they did is recorded.
 */
export class FailoverLoad {
  readonly recorder: Recorder = new HistoryRecorder({ now: () => Date.now() });
  readonly writes = new KeptWrites();
  readonly #urls: readonly string[];
  readonly #shared = shards().map((shard) => keyInShard("shared", shard));
  readonly #own: string[] = [];
  readonly #clients: Client[] = [];
  readonly #running: Promise<unknown>;
  #isOver = false;

  constructor(urls: readonly string[], seed: number) {
    this.#urls = urls;
    const driven = Array.from({ length: CLIENTS }, (_, number) => this.#drive(number, seed));
    this.#running = Promise.all(driven);
    // Told by `end`.
    this.#running.catch(() => undefined);
  }

  /** Ends the load; rejects with what went wrong in it. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  /** Tells `writes` what the keys hold, as asked at one node at the level. */
  async hearHeld(url: string, level: (typeof READ_LEVELS)[number]): Promise<void> {
    const client = connect({ url });
    const keyspace = recordKeyspace(client.keyspace(KEYSPACE), this.recorder, { client: url });
    this.writes.begin();
    for (const key of this.#own) {
      const read = await keyspace.get(key, { consistency: level, timeoutMs: CALL_MS });
      if (read.found && !read.conflict) this.writes.hear(`HELD ${key} ${read.value}`);
    }
    for (const key of this.#shared) await keyspace.get(key, { consistency: level });
    await client.close();
  }

  async #drive(number: number, seed: number): Promise<void> {
    const random = new SeededRandom(seed, `client/${number}`);
    // Each begins at another node, and goes on at the next when that fails.
    const urls = this.#urls.map((_, at) => this.#urls[(at + number) % this.#urls.length] as string);
    const client = connect({ url: urls, timeoutMs: CALL_MS });
    this.#clients.push(client);
    const keyspace = recordKeyspace(client.keyspace(KEYSPACE), this.recorder, {
      client: `c${number}`,
    });
    let own = this.#ownKey(number, 0);
    for (let call = 1; !this.#isOver; call += 1) {
      const dice = random.fraction();
      if (dice < 0.4) {
        if (!(await this.#writeOwn(keyspace, own, call))) own = this.#ownKey(number, call);
      } else if (dice < 0.6) {
        await settled(keyspace, pick(this.#shared, random), `${number}-${call}`);
      } else {
        const consistency = pick(READ_LEVELS, random);
        const key = pick([...this.#own, ...this.#shared], random);
        await tolerant(keyspace.get(key, { consistency, timeoutMs: CALL_MS }));
      }
      await sleep(PACE_MS);
    }
  }

  #ownKey(number: number, call: number): string {
    const key = keyInShard(`own/${number}/${call}`, number % SHARDS);
    this.#own.push(key);
    return key;
  }

  /** False: nobody may write the key any more, as this write could still arrive. */
  async #writeOwn(keyspace: Keyspace, key: string, sequence: number): Promise<boolean> {
    this.writes.hear(`ISSUED ${key} ${sequence}`);
    const outcome = await settled(keyspace, key, sequence);
    const word = { applied: "ACKED", "not-applied": "REFUSED", unknown: "UNKNOWN" }[outcome];
    this.writes.hear(`${word} ${key} ${sequence}`);
    return outcome !== "unknown";
  }
}

export function shards(): readonly number[] {
  return Array.from({ length: SHARDS }, (_, shard) => shard);
}

/** Writes until it is known what became of it: an unknown write is sent again under its id. */
export async function settled(
  keyspace: Keyspace,
  key: string,
  value: unknown,
): Promise<"applied" | "not-applied" | "unknown"> {
  let operationId: string | undefined;
  for (let attempt = 0; attempt <= MOST_RETRIES; attempt += 1) {
    const options = operationId === undefined ? {} : { operationId };
    const fault = await tolerant(
      keyspace.put(key, value, { consistency: "strong", timeoutMs: CALL_MS, ...options }),
    );
    if (fault === undefined) return "applied";
    if (fault.outcome === "applied") return "applied";
    // A copy that was sent before may still arrive, whatever is said of this one.
    if (operationId === undefined && fault.outcome === "not-applied") return "not-applied";
    operationId ??= fault.operationId;
    if (operationId === undefined) return "unknown";
    await sleep(PACE_MS);
  }
  return "unknown";
}

/** The fault that the call ended with, if one did; rejects for what is none of Capstan's. */
async function tolerant(call: Promise<unknown>) {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (!isCapstanError(error)) throw error;
    return error;
  }
}

function pick<T>(among: readonly T[], random: SeededRandom): T {
  return among[random.uint32() % among.length] as T;
}

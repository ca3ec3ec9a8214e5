import type { Level } from "../../../core/model/levels.ts";
import type { EmbeddedKeyspace, GetResult } from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import type { Draw } from "../draw.ts";
import { ClockSpread } from "../raft/clock-spread.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

const KEYS: readonly string[] = Object.freeze(["ttl/1", "ttl/2"]);
const LEVELS: readonly Level[] = Object.freeze(["one", "one", "quorum"]);
const PUT_SHARE = 0.4;
/** Of the puts, this share writes all keys at once. */
const BATCH_SHARE = 0.25;
const TTL_MS: readonly [number, number] = Object.freeze([50, 5_000] as const);
/** Times are whole milliseconds of some node's clock, at both ends. */
const ROUNDING_MS = 2;
const FINAL_READ_MS = 120_000;

interface Put {
  readonly key: string;
  readonly ttlMs: number;
  readonly calledAtMs: number;
  /** While it may still be stamped: endless. */
  returnedAtMs: number;
  version: string | undefined;
}

interface Read {
  readonly key: string;
  /** Which start of which node answered. */
  readonly place: string;
  readonly calledAtMs: number;
  readonly returnedAtMs: number;
  /** How far the node's own clock was ahead of the world's when it answered. */
  readonly aheadMs: number;
  readonly values: readonly string[];
  /** Where nothing was found. */
  readonly goneVersion: string | undefined;
}

/**
 * Clients that write values with a time to live, and look when they go: none is seen when every
 * clock is past its end, none goes while no clock has come to it, and a node that has shown it as
 * gone does not show it again: of dynamo, whose tombstones do not say when they were made, only where
 * its own clock has come to that.
 */
export class ExpiringKeys {
  readonly #scene: KeyspaceScene;
  readonly #clocks: ClockSpread;
  readonly #puts = new Map<string, Put>();
  readonly #reads: Read[] = [];
  /** Tries that were taken for other writes than they are. */
  readonly #taken: string[] = [];

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    this.#clocks = new ClockSpread(scene.world.nodes.map(({ clock }) => clock));
  }

  /** Values that were seen gone. */
  get gone(): number {
    return this.#reads.filter(({ goneVersion }) => goneVersion !== undefined).length;
  }

  look(): void {
    this.#clocks.look();
  }

  async operate(
    client: string,
    draw: Draw,
    node: SimNode,
    another: () => SimNode | undefined,
  ): Promise<Ending> {
    const key = draw.pick(KEYS);
    const level = draw.pick(LEVELS);
    if (!draw.chance(PUT_SHARE)) return this.#read(client, node, key, level);
    const ttlMs = Math.round(draw.magnitude(...TTL_MS));
    const keys = draw.chance(BATCH_SHARE) ? KEYS : [key];
    const ending = await this.#write(client, node, keys, { consistency: level, ttlMs });
    const next = another();
    if (next !== undefined) await this.#read(client, next, key, draw.pick(LEVELS));
    return ending;
  }

  /** Everything is whole: whatever was to expire has, and no node shows it. Runs the world. */
  async readAtTheEnd(): Promise<void> {
    const { driver, time, nodes } = this.#scene.world;
    this.look();
    const ends = [...this.#puts.values()].map(({ returnedAtMs, ttlMs }) => returnedAtMs + ttlMs);
    const allGoneMs = Math.max(0, ...ends.filter(Number.isFinite)) + this.#clocks.spreadMs;
    const waitMs = allGoneMs + ROUNDING_MS + 1 - time.nowMs;
    if (waitMs > 0) await driver.run(waitMs);
    for (const node of nodes) {
      for (const key of KEYS) {
        await driver.until(this.#read("last", node, key, "one"), FINAL_READ_MS);
      }
    }
  }

  judge(): readonly Violation[] {
    const { spreadMs } = this.#clocks;
    const slackMs = spreadMs + ROUNDING_MS;
    const puts = new Map([...this.#puts.values()].map((put) => [`${put.key} ${put.version}`, put]));
    const goneAt = new Map<string, number>();
    const violations: Violation[] = this.#taken.map((message) => ({
      check: "expiring-retry",
      message,
    }));
    const violate = (check: string, read: Read, what: string): void => {
      const atMs = read.calledAtMs.toFixed(1);
      violations.push({
        check,
        message: `${read.key}: a read at ${read.place} (${atMs} ms) ${what}`,
      });
    };
    for (const read of this.#reads) {
      for (const value of read.values) {
        const put = this.#puts.get(value);
        if (put === undefined) continue;
        const latestMs = put.returnedAtMs + put.ttlMs + slackMs;
        if (read.calledAtMs > latestMs) {
          violate("expired-value", read, `found ${value}, gone since ${latestMs.toFixed(1)} ms`);
        }
        const goneMs = goneAt.get(`${read.place} ${put.key} ${put.version}`);
        if (goneMs !== undefined && goneMs < read.calledAtMs) {
          violate("expired-back", read, `found ${value}, which it had shown as gone`);
        }
      }
      const put = puts.get(`${read.key} ${read.goneVersion}`);
      if (read.goneVersion === undefined || put === undefined) continue;
      const earliestMs = put.calledAtMs + put.ttlMs - slackMs;
      if (read.returnedAtMs < earliestMs) {
        violate("expired-early", read, `found nothing, before ${earliestMs.toFixed(1)} ms`);
      }
      if (!this.#isShownByItself(read, put)) continue;
      const place = `${read.place} ${read.key} ${read.goneVersion}`;
      goneAt.set(place, Math.min(read.returnedAtMs, goneAt.get(place) ?? read.returnedAtMs));
    }
    return violations;
  }

  /** Whether the node that found nothing goes on to do so, whoever answers it. */
  #isShownByItself({ returnedAtMs, aheadMs }: Read, put: Put): boolean {
    if (this.#scene.plan.strategy !== "dynamo") return true;
    const latestEndMs = put.returnedAtMs + this.#clocks.mostAheadMs + put.ttlMs;
    return returnedAtMs + aheadMs >= latestEndMs + ROUNDING_MS;
  }

  async #write(
    client: string,
    node: SimNode,
    keys: readonly string[],
    options: { readonly consistency: Level; readonly ttlMs: number },
  ): Promise<Ending> {
    const { calls, plan, world } = this.#scene;
    const puts = keys.map((key): [string, Put] => {
      const { ttlMs } = options;
      const put = { key, ttlMs, calledAtMs: world.time.nowMs, version: undefined };
      return [`t${calls.begun}/${key}`, { ...put, returnedAtMs: Number.POSITIVE_INFINITY }];
    });
    for (const [value, put] of puts) this.#puts.set(value, put);
    try {
      const keyspace = calls.keyspaceOf(node, plan.name);
      const versions = await calls.alive(node, send(keyspace, puts, options));
      for (const [at, [, put]] of puts.entries()) put.version = versions[at];
      calls.noteOk(client, keys.join(), versions.join());
      return "ok";
    } catch (error) {
      const fault = calls.noteFault(client, keys.join(), error);
      const [put] = puts;
      if (fault.operationId !== undefined && put !== undefined) {
        await this.#tryAgain(client, node, put, { ...options, operationId: fault.operationId });
      }
      return fault.code === "down" ? "down" : "fault";
    } finally {
      for (const [, put] of puts) put.returnedAtMs = world.time.nowMs;
    }
  }

  /** Under the id that its fault carried: it is the very same write, and never taken for another one. */
  async #tryAgain(
    client: string,
    node: SimNode,
    [value, { key }]: [string, Put],
    options: { readonly consistency: Level; readonly ttlMs: number; readonly operationId: string },
  ): Promise<void> {
    const { calls, plan } = this.#scene;
    try {
      const again = calls.keyspaceOf(node, plan.name).put(key, value, options);
      const { version } = await calls.alive(node, again);
      calls.noteOk(client, key, `again ${version}`);
    } catch (error) {
      const { code } = calls.noteFault(client, key, error);
      if (code !== "OPERATION_ID_REUSED") return;
      this.#taken.push(`${key}: ${value}, tried again under the id of its fault, is ${code}`);
    }
  }

  async #read(client: string, node: SimNode, key: string, level: Level): Promise<Ending> {
    const { calls, plan, world } = this.#scene;
    const calledAtMs = world.time.nowMs;
    const place = `${node.id} (start ${node.starts})`;
    try {
      const asking = calls.keyspaceOf(node, plan.name).get(key, { consistency: level });
      const result = await calls.alive(node, asking);
      const values = valuesOf(result);
      const goneVersion = result.found ? undefined : result.version;
      const { aheadMs } = node.clock;
      const times = { calledAtMs, returnedAtMs: world.time.nowMs, aheadMs };
      this.#reads.push({ key, place, ...times, values, goneVersion });
      calls.noteOk(client, key, `${values.join()} ${goneVersion}`);
      return "ok";
    } catch (error) {
      return calls.noteFault(client, key, error).code === "down" ? "down" : "fault";
    }
  }
}

/** The version of each, or undefined where it failed. */
async function send(
  keyspace: EmbeddedKeyspace,
  puts: readonly (readonly [string, Put])[],
  options: { readonly consistency: Level; readonly ttlMs: number },
): Promise<readonly (string | undefined)[]> {
  const [first] = puts;
  if (puts.length === 1 && first !== undefined) {
    const [value, { key }] = first;
    return [(await keyspace.put(key, value, options)).version];
  }
  const writes = puts.map(([value, { key }]) => ({ put: key, value }));
  const results = await keyspace.batch(writes, options);
  return results.map((each) => (each.ok ? each.result.version : undefined));
}

function valuesOf(result: GetResult<unknown>): readonly string[] {
  if (!result.found) return [];
  return result.conflict ? result.siblings.map(String) : [String(result.value)];
}

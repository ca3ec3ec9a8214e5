import { expect, test } from "vitest";
import { capstanModule } from "../../src/core/store/modules.ts";
import { openStore } from "../../src/open-store.ts";
import {
  MachineClock,
  SeededRandom,
  SimEnvironment,
  VirtualTime,
} from "../../src/simulation/index.ts";
import { MachineDisk } from "../../src/simulation/machine-disk.ts";
import { Trace } from "../../src/simulation/trace.ts";
import { KeptWrites } from "../support/kept-writes.ts";

// The lives of one node over a disk that keeps, loses, tears or mixes what was not synced: the same
// runs as `test/processes/kills.test.ts`, and the same judge, under virtual time. More of them:
// CAPSTAN_SEEDS=2000 npx vitest run --project simulation test/simulation/crashing-disks.test.ts

const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 40);
const FIRST_SEED = Number(process.env.CAPSTAN_FIRST_SEED ?? 1);
const LIVES = 6;
const CLIENTS = 6;
const KEYS_OF_A_CLIENT = 4;
/** More than may be under way, so that some are refused. */
const BURST = 16;
const MOST_MS = 60;
/** Between two of these, promises settle. */
const STEP_MS = 0.25;
/** Small, so that segments are filled and used again between two crashes. */
const LOG = Object.freeze({ segmentBytes: 16 * 1024 });

type OpenStore = Awaited<ReturnType<typeof openStore>>;

class Lives {
  readonly #time = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #disk: MachineDisk;
  readonly writes = new KeptWrites();
  #starts = 0;
  #sequence = 1;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed, "lives");
    const random = new SeededRandom(seed, "disk");
    this.#disk = new MachineDisk({ time: this.#time, random, log: LOG });
  }

  /** Opens, judges what is there, writes, and ends as chance will have it. */
  async live(): Promise<readonly string[]> {
    this.#starts += 1;
    const environment = new SimEnvironment({
      time: this.#time,
      clock: new MachineClock(this.#time),
      trace: new Trace(),
      seed: this.#starts,
      number: 1,
    });
    const store = await this.#until(
      openStore(
        {
          cluster: { nodes: ["n1"] },
          storage: { type: "machine" },
          keyspaces: { default: { strategy: "tunable", replicas: 1, shards: 2 } },
          limits: { operationsInFlight: 12 },
        },
        {
          node: "n1",
          environment,
          modules: [capstanModule({ storages: { machine: this.#disk.storageFor(environment) } })],
        },
      ),
    );
    await this.#until(store.ready({ level: "one", timeoutMs: 60_000 }));
    const wrong = await this.#until(this.#judge(store as unknown as OpenStore));
    for (let number = 0; number < CLIENTS; number += 1) {
      void this.#client(store as unknown as OpenStore, number, environment);
    }
    const lastsMs = this.#random.fraction() * MOST_MS;
    for (let passedMs = 0; passedMs < lastsMs; passedMs += STEP_MS) {
      this.#time.advance(STEP_MS);
      await settled();
    }
    environment.die();
    if (this.#random.fraction() < 0.3) this.#disk.kill();
    else
      this.#disk.cutPower((["keep", "lose", "mix"] as const)[this.#random.uint32() % 3] ?? "mix");
    return wrong;
  }

  async #judge(store: OpenStore): Promise<readonly string[]> {
    this.writes.begin();
    const keyspace = store.keyspace("default");
    for await (const { key, value } of keyspace.scan({ consistency: "one" })) {
      this.writes.hear(`HELD ${key} ${(value as { sequence: number }).sequence}`);
    }
    return this.writes.judge();
  }

  async #client(store: OpenStore, number: number, environment: SimEnvironment): Promise<void> {
    for (;;) {
      // Whoever is refused comes back later; and when the node is dead, never.
      await new Promise<void>((resolve) => environment.setTimer(0.1, resolve));
      await this.#put(store, `c${number}-${this.#random.uint32() % KEYS_OF_A_CLIENT}`);
      if (this.#random.fraction() > 0.05) continue;
      await Promise.all(
        Array.from({ length: BURST }, (_, at) => this.#put(store, `burst${number}-${at}`)),
      );
    }
  }

  async #put(store: OpenStore, key: string): Promise<void> {
    const sequence = this.#sequence++;
    const filling = "f".repeat(this.#random.uint32() % 900);
    this.writes.hear(`ISSUED ${key} ${sequence}`);
    try {
      await store.keyspace("default").put(key, { sequence, filling }, { consistency: "one" });
      this.writes.hear(`ACKED ${key} ${sequence}`);
    } catch (error) {
      const { outcome } = error as { readonly outcome?: string };
      this.writes.hear(`${outcome === "not-applied" ? "REFUSED" : "UNKNOWN"} ${key} ${sequence}`);
    }
  }

  async #until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (let step = 0; step < 200_000; step += 1) {
      await settled();
      if (isSettled) return promise;
      this.#time.advance(STEP_MS);
    }
    throw new Error("it did not settle");
  }
}

/** Lets what promises have set in motion come to its end. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const NAME = `a node keeps what it acknowledged over ${LIVES} crashes of its disk, ${SEEDS} times`;

test(NAME, { timeout: 60_000 + SEEDS * 1_000 }, async () => {
  let acknowledged = 0;
  let refused = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const lives = new Lives(seed);
    for (let life = 0; life < LIVES; life += 1) {
      expect(await lives.live(), `CAPSTAN_FIRST_SEED=${seed}, life ${life}`).toEqual([]);
    }
    acknowledged += lives.writes.acknowledged;
    refused += lives.writes.refused;
  }
  expect(acknowledged).toBeGreaterThan(SEEDS * 50);
  expect(refused).toBeGreaterThan(0);
});

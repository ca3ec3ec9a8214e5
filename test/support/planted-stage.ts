import { isCapstanError } from "../../src/core/model/errors.ts";
import type { StoreEvent } from "../../src/core/store/api.ts";
import type { PlantedHostBugs } from "../../src/core/store/planted-bugs.ts";
import type { SimNode } from "../../src/simulation/sim-node.ts";
import { SimWorld } from "../../src/simulation/sim-world.ts";
import type { SegmentedLogOptions } from "../../src/storage/disk/log/log-options.ts";
import type { PlantedLogBugs } from "../../src/storage/disk/log/planted-bugs.ts";
import {
  checkRegularRegister,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
} from "../../src/verification/index.ts";

const KEYSPACE = "things";
const PATIENCE_MS = 60_000;
/** Until nodes have met, and what they write about each other is on their disks. */
const SETTLED_MS = 2_000;
const ASK_EVERY_MS = 250;
const QUORUM = Object.freeze({ consistency: "quorum" } as const);

export interface StageOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Of the one keyspace. */
  readonly keyspace: Readonly<Record<string, unknown>>;
  readonly host?: PlantedHostBugs;
  readonly logBugs?: PlantedLogBugs;
  readonly log?: SegmentedLogOptions;
}

/** A small world in which a test brings about by hand what seeds hardly ever come across. */
export class Stage {
  readonly world: SimWorld;
  readonly events: { readonly node: string; readonly event: StoreEvent }[] = [];
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  #clients = 0;

  private constructor(options: StageOptions) {
    const { nodes = 3, keyspace, host, logBugs, log } = options;
    this.world = new SimWorld({
      seed: 1,
      nodes: Array.from({ length: nodes }, (_, at) => `n${at + 1}`),
      configuration: {
        keyspaces: { [KEYSPACE]: { replicas: 3, shards: 1, ...keyspace } },
      },
      planted: { ...(host && { host }), ...(logBugs && { log: logBugs }) },
      log: { segmentBytes: 64 * 1024, ...log },
    });
    this.world.onEvent = (node, event) => this.events.push({ node, event });
    this.#recorder = new HistoryRecorder({ now: () => this.world.time.nowMs });
  }

  static async open(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options);
    const { nodes } = stage.world;
    await stage.until(Promise.all(nodes.map(({ id }) => stage.world.start(id))));
    await stage.until(Promise.all(nodes.map(({ life }) => life?.store?.ready())));
    await stage.run(SETTLED_MS);
    return stage;
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.world.driver.until(promise, PATIENCE_MS);
  }

  run(durationMs: number): Promise<void> {
    return this.world.driver.run(durationMs);
  }

  node(id: string): SimNode {
    return this.world.node(id);
  }

  /** Each call is a client's of its own. */
  at(node: string) {
    const store = this.node(node).life?.store;
    if (store === undefined) throw new Error(`node ${node} is not running`);
    this.#clients += 1;
    const client = `c${this.#clients}`;
    return recordKeyspace(store.keyspace(KEYSPACE), this.#recorder, { client, node });
  }

  describe(node: string): Readonly<Record<string, unknown>> {
    return this.node(node).life?.store?.keyspace(KEYSPACE).describe() ?? {};
  }

  /** As an operator would: again, where the first start has found that its data has to be given up. */
  async restart(id: string): Promise<void> {
    try {
      await this.until(this.world.start(id));
    } catch (error) {
      if (!isCapstanError(error) || error.code !== "DATA_DISOWNED") throw error;
      this.world.crash(id);
      await this.until(this.world.start(id));
    }
  }

  /** The node and all others do not hear each other any more. */
  isolate(id: string): void {
    for (const { id: other } of this.world.nodes)
      if (other !== id) this.world.network.cut(id, other);
  }

  /** Asks for the key at quorum until it is answered; undefined: it was refused all the time. */
  async readSoon(
    node: string,
    key: string,
    forMs: number,
  ): Promise<{ value: unknown } | undefined> {
    const endMs = this.world.time.nowMs + forMs;
    while (this.world.time.nowMs < endMs) {
      try {
        const found = await this.until(this.at(node).get(key, QUORUM));
        return { value: found.found && !found.conflict ? found.value : undefined };
      } catch (error) {
        if (!isCapstanError(error)) throw error;
      }
      await this.run(ASK_EVERY_MS);
    }
    return undefined;
  }

  /** Reads at quorum that miss what was acknowledged at quorum before them. */
  staleReads(): readonly string[] {
    const { violations } = checkRegularRegister(this.#recorder.operations());
    return violations.map(({ key, reason }) => `${key}: ${reason}`);
  }
}

/**
 * A write that n1 and n2 have acknowledged, and n3 has heard nothing of; then something happens to
 * n2, and from then on only n2 and n3 hear each other.
 */
export async function moveMajority(
  stage: Stage,
  what: {
    /** To n2 while it is down. */
    readonly harm?: (node: SimNode) => void;
    /** Before that. */
    readonly meanwhile?: () => Promise<void>;
    readonly power?: "lose";
    readonly key?: string;
    readonly value?: string;
  },
): Promise<{ value: unknown } | undefined> {
  const { key = "k", value = "acknowledged", meanwhile, harm, power } = what;
  stage.isolate("n3");
  await stage.until(stage.at("n1").put(key, value, QUORUM));
  await meanwhile?.();
  stage.world.crash("n2", { ...(power && { power }) });
  harm?.(stage.node("n2"));
  stage.isolate("n1");
  stage.world.network.join("n2", "n3");
  await stage.restart("n2");
  return stage.readSoon("n3", key, 8_000);
}

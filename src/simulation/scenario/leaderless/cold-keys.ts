import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import { LargeValues } from "../large-values.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";

/** Of the operations, where there are large values. */
const SHARE = 0.08;
const KEYS = 24;

/**
 * Keys with large values that are written now and then, at one replica, and that nobody reads: what
 * differs there is mended by comparing replicas alone.
 */
export class ColdKeys {
  readonly #scene: KeyspaceScene;
  readonly #draw: Draw;
  readonly #large: LargeValues;
  readonly #written = new Set<string>();

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    this.#draw = new Draw(scene.world.random(`${scene.plan.name}/cold-keys`));
    this.#large = new LargeValues(scene, "cold");
  }

  /** That may be there. */
  get keys(): readonly string[] {
    return [...this.#written];
  }

  /** Whether the next operation is one of these. */
  takes(): boolean {
    return this.#large.isOn && this.#draw.chance(SHARE);
  }

  async operate(client: string, node: SimNode): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const key = `cold/${this.#draw.whole(1, KEYS)}/1`;
    this.#written.add(key);
    const value = this.#large.valueFor(key, `v${calls.begun}`);
    try {
      const keyspace = calls.keyspaceOf(node, plan.name);
      const { version } = await calls.alive(node, keyspace.put(key, value, { consistency: "one" }));
      calls.noteOk(client, key, version);
      return "ok";
    } catch (error) {
      return calls.noteFault(client, key, error).code === "down" ? "down" : "fault";
    }
  }
}

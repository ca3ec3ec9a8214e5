import { stampOfVersionToken } from "../../../core/model/version-token.ts";
import type { SimNode } from "../../sim-node.ts";
import type { Ending } from "../client-calls.ts";
import { Draw } from "../draw.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

const MAX_REPORTED = 3;
/** In this share of the seeds the first operation through a node that has started asks for the time. */
const PROBED_SEEDS = 0.15;

/**
 * The clock of a node never goes back, not over a restart either: a write that takes its stamp at a
 * node has a greater one than every write that was acknowledged there before it was asked for, as
 * long as the node is the same store.
 */
export class RisingStamps {
  readonly #scene: KeyspaceScene;
  /** By node and store: the greatest time of an acknowledged write. */
  readonly #greatest = new Map<string, number>();
  readonly #violations: Violation[] = [];

  /** Starts of nodes through which a key was written that nobody else writes. */
  readonly #probed = new Set<string>();
  readonly #probes: boolean;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
    this.#probes = new Draw(scene.world.random("clock-probe")).chance(PROBED_SEEDS);
  }

  /** Whether this is the first that is asked of a start of the node. */
  takes({ id, starts }: SimNode): boolean {
    const start = `${id}/${starts}`;
    if (!this.#probes || this.#probed.has(start)) return false;
    this.#probed.add(start);
    return true;
  }

  /**
   * Writes a key of the node's own: nothing newer can be in its way, so that it tells of the clock
   * before the node has heard the time from others.
   */
  async probe(client: string, node: SimNode): Promise<Ending> {
    const { calls, plan } = this.#scene;
    const key = `clock/${node.id}`;
    const minted = this.begin(node);
    try {
      const writing = calls.keyspaceOf(node, plan.name).put(key, "now", { consistency: "one" });
      const { version } = await calls.alive(node, writing);
      calls.noteOk(client, key, version);
      minted(version);
      return "ok";
    } catch (error) {
      return calls.noteFault(client, key, error).code === "down" ? "down" : "fault";
    }
  }

  /** A write is asked for; what is answered is to be called with the version that it was given. */
  begin(node: SimNode): (version: string) => void {
    const { id, disk, starts } = node;
    // What is kept in memory alone ends with its start.
    const store = `${id}/${disk.storeId ?? `start ${starts}`}`;
    const before = this.#greatest.get(store) ?? 0;
    return (version) => {
      const time = stampOfVersionToken(version)?.time ?? 0;
      this.#greatest.set(store, Math.max(this.#greatest.get(store) ?? 0, time));
      if (time > before || this.#mayGoBack(id) || this.#violations.length >= MAX_REPORTED) return;
      const message = `${id} gave a write the time ${time}, and had given ${before} to one that was acknowledged before it`;
      this.#violations.push({ check: "clock-back", message });
    };
  }

  judge(): readonly Violation[] {
    return this.#violations;
  }

  /** Whether what the node knew of its clock may have been lost, or its stamps be others' by right. */
  #mayGoBack(id: string): boolean {
    const { topology, world } = this.#scene;
    // Stamps beyond the guard are proven by others, and the clock does not follow them.
    if (world.eventCounts.has("clock-skew") || topology.wasDamaged(id)) return true;
    return topology.losses.some(({ node, how }) => node === id && how === "old-copy");
  }
}

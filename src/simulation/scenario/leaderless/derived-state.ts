import { FingerprintSummary, hintRowsIn } from "../../../built-ins.ts";
import type { StateEntry } from "../../../core/contracts/storage.ts";
import { shardIdOf } from "../../../core/model/ids.ts";
import type { SimNode } from "../../sim-node.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

/** Once all is whole, what is left to hand over is handed over by then, in milliseconds. */
const HANDOFF_MS = 60_000;
const COMMIT_MS = 10_000;
const ALL = Number.MAX_SAFE_INTEGER;

/** Rare states that it reaches. */
export const DERIVED_SOMETIMES: readonly string[] = Object.freeze([
  "a fingerprint was compared with its state",
]);

/** What a copy says of what it derives from its state. */
export interface DescribedCopy {
  readonly shard: number;
  readonly antiEntropy?: { readonly fingerprint?: string };
  readonly hints?: { readonly held: number; readonly copyBytes?: number };
}

/** What the state of a copy has. */
export interface RowsOfCopy {
  readonly data: readonly StateEntry[];
  readonly side: readonly StateEntry[];
}

/** What a replica keeps besides its data has to be what can be made anew of the data. */
export class DerivedState {
  readonly violations: Violation[] = [];
  readonly #scene: KeyspaceScene;
  #compared = 0;

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
  }

  /** Everything is whole, and nobody writes any more. Runs the world. */
  async compareAtTheEnd(): Promise<void> {
    const { world } = this.#scene;
    const isLeft = (): boolean => this.#copies().some(({ described }) => heldBy(described) > 0);
    if (!(await world.driver.runWhile(isLeft, HANDOFF_MS))) {
      const left = this.#copies().filter(({ described }) => heldBy(described) > 0);
      const where = left.map(({ node, described }) => `${described.shard} at ${node.id}`);
      const message = `in the end hints are left for shards ${where.join(", ")}`;
      this.violations.push({ check: "left-hints", message });
    }
    // What is under way to the state is in the sums already.
    const isApart = (): boolean => this.#problems().length > 0;
    await world.driver.runWhile(isApart, COMMIT_MS);
    this.violations.push(...this.#problems());
    this.#compared = this.#copies().filter(
      ({ described }) => described.antiEntropy?.fingerprint !== undefined,
    ).length;
  }

  sometimes(): Readonly<Record<string, number>> {
    return { [DERIVED_SOMETIMES[0] as string]: this.#compared };
  }

  #copies(): readonly { readonly node: SimNode; readonly described: DescribedCopy }[] {
    const { world, plan } = this.#scene;
    return world.running().flatMap((node) => {
      const shards = (node.life?.store?.keyspace(plan.name).describe().shards ??
        []) as readonly DescribedCopy[];
      return shards.map((described) => ({ node, described }));
    });
  }

  #problems(): readonly Violation[] {
    return this.#copies().flatMap(({ node, described }) => {
      const rows = this.#rowsOf(node, described.shard);
      if (rows === undefined) return [];
      return problemsOf(described, rows).map(({ check, message }) => ({
        check,
        message: `${node.id}, shard ${described.shard}: ${message}`,
      }));
    });
  }

  #rowsOf({ disk }: SimNode, shard: number): RowsOfCopy | undefined {
    const view = disk.storage?.state.view(shardIdOf(this.#scene.keyspace.keyspace.hash, shard));
    if (view === undefined) return undefined;
    try {
      return {
        data: view.range("data", undefined, undefined, ALL).entries,
        side: view.range("side", undefined, undefined, ALL).entries,
      };
    } finally {
      view.close();
    }
  }
}

/** Where what a copy says differs from what its rows come to. */
export function problemsOf(
  { antiEntropy, hints }: DescribedCopy,
  { data, side }: RowsOfCopy,
): readonly Violation[] {
  const violations: Violation[] = [];
  const sum = new FingerprintSummary();
  for (const { key, value } of data) sum.addEntry(key, value);
  const said = antiEntropy?.fingerprint;
  if (said !== undefined && said !== sum.describe()) {
    const message = `its fingerprint says ${said}, and its rows come to ${sum.describe()}`;
    violations.push({ check: "fingerprint", message });
  }
  const rows = hintRowsIn(side);
  if (hints !== undefined && hints.held !== rows.length) {
    const message = `it counts ${hints.held} hints, and has ${rows.length}`;
    violations.push({ check: "hints", message });
  }
  const bytes = rows.reduce((total, { copyBytes }) => total + copyBytes, 0);
  if (hints?.copyBytes !== undefined && hints.copyBytes !== bytes) {
    const message = `it counts ${hints.copyBytes} bytes of copies, and has ${bytes}`;
    violations.push({ check: "hints", message });
  }
  const held = new Set(data.map(({ key }) => Buffer.from(key).toString("latin1")));
  const idle = rows.find(({ key }) => !held.has(Buffer.from(key).toString("latin1")));
  if (idle !== undefined) {
    const text = Buffer.from(idle.key).toString("utf8");
    const message = `it has a hint of ${text} for ${idle.target}, and nothing to hand over`;
    violations.push({ check: "hints", message });
  }
  return violations;
}

function heldBy({ hints }: DescribedCopy): number {
  return hints?.held ?? 0;
}

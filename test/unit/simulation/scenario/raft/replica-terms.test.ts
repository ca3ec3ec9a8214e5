import { expect, test } from "vitest";
import { ReplicaTerms } from "../../../../../src/simulation/scenario/raft/replica-terms.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";

interface Said {
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
}

const FIRST: Said = { term: 3, commitIndex: 9, appliedIndex: 8 };

/** One node with one shard, which says what it is told to, whenever it is looked at. */
class World {
  readonly terms: ReplicaTerms;
  readonly commits: string[] = [];
  #said = FIRST;
  #starts = 1;
  #isDamaged = false;
  #look: () => void = () => undefined;

  constructor() {
    const describe = () => ({ shards: [{ shard: 0, ...this.#said }] });
    const world = this;
    const node = {
      id: "n1",
      life: { store: { keyspace: () => ({ describe }) } },
      get starts() {
        return world.#starts;
      },
    };
    const scene = {
      plan: { name: "things" },
      keyspace: { keyspace: { shards: 1 } },
      topology: { wasDamaged: () => this.#isDamaged },
      world: {
        nodes: [node],
        time: {
          setTimer: (_ms: number, look: () => void) => {
            this.#look = look;
          },
        },
      },
    } as unknown as KeyspaceScene;
    this.terms = new ReplicaTerms(scene, (...said) => this.commits.push(said.join(" ")));
    this.terms.begin();
  }

  says(said: Partial<Said>, how: { starts?: number; isDamaged?: boolean } = {}): readonly string[] {
    this.#said = { ...FIRST, ...said };
    this.#starts = how.starts ?? this.#starts;
    this.#isDamaged = how.isDamaged === true;
    this.#look();
    return this.terms.violations.map(({ check, message }) => `${check}: ${message}`);
  }
}

test("what rises, or stays, is without fault, and the commit index is passed on", () => {
  const world = new World();
  expect(world.says({})).toEqual([]);
  expect(world.says({ term: 4, commitIndex: 10, appliedIndex: 10 })).toEqual([]);
  expect(world.commits).toEqual(["n1 0 9 3", "n1 0 9 3", "n1 0 10 4"]);
});

test.each([
  ["term", { term: 2 }, "term falls from 3 to 2"],
  ["commitIndex", { commitIndex: 8 }, "commitIndex falls from 9 to 8"],
  ["appliedIndex", { appliedIndex: 0 }, "appliedIndex falls from 8 to 0"],
])("a %s that falls within one life of a node is found", (name, said, what) => {
  expect(new World().says(said)).toEqual([`${name}-falls: n1, shard 0: ${what}`]);
});

test("a restart, or a store that was found damaged, may begin below", () => {
  expect(new World().says({ term: 2, commitIndex: 0 }, { starts: 2 })).toEqual([]);
  expect(new World().says({ term: 0, commitIndex: 0 }, { isDamaged: true })).toEqual([]);
});

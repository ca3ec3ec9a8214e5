import {
  checkListing,
  del,
  delRange,
  listOf,
  OPEN,
  put,
  puts,
  StateProbe,
  switchTo,
} from "./state-store-probe.ts";
import { isError, SHARD_A, SHARD_B, type StorageCase } from "./storage-harness.ts";
import { check, checkEqual, checkThrows } from "./suite.ts";

/** Copies of a shard's state that are written beside the current one. */
export const GENERATION_CASES: readonly StorageCase[] = Object.freeze<StorageCase[]>([
  {
    name: "a generation is written beside, unseen, and a switch shows it whole and drops the rest",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=old b=old"), put("s", "old", { space: "side" }));
      const generation = probe.state.newGeneration(SHARD_A);
      probe.commit(...puts("a=new c=new x=new", { generation }));
      probe.commit(del("x", { generation }), put("b", "newer"));
      checkListing(probe.list(), "a=old b=newer", "the current generation before the switch");
      const view = probe.state.view(SHARD_A);
      probe.commit(switchTo(generation), put("d", "new"));
      checkListing(probe.list(), "a=new c=new d=new", "the generation that was switched to");
      checkListing(probe.list("side"), "", "another space of it");
      checkListing(listOf(view), "a=old b=newer", "a view from before the switch");
      view.close();
      checkEqual(probe.state.shards(), [{ shard: SHARD_A, generation }], "shards");
    },
  },
  {
    name: "delete-range works in a generation beside",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=1 b=1 c=1"));
      const generation = probe.state.newGeneration(SHARD_A);
      probe.commit(...puts("a=2 b=2 c=2", { generation }));
      probe.commit(delRange("b", OPEN, { generation }));
      checkListing(probe.list(), "a=1 b=1 c=1", "the current generation");
      probe.commit(switchTo(generation));
      checkListing(probe.list(), "a=2", "the generation beside");
    },
  },
  {
    name: "a generation that was dropped by a switch is refused",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "1"));
      const first = probe.state.shards()[0]?.generation as number;
      const second = probe.state.newGeneration(SHARD_A);
      const third = probe.state.newGeneration(SHARD_A);
      probe.commit(put("k", "2", { generation: second }), put("k", "3", { generation: third }));
      probe.commit(switchTo(third));
      for (const generation of [first, second]) {
        const late = put("k", "late", { generation });
        checkThrows(() => probe.commit(late), isError, `a put into generation ${generation}`);
        checkThrows(() => probe.commit(switchTo(generation)), isError, `a switch to ${generation}`);
      }
      const fourth = probe.state.newGeneration(SHARD_A);
      const both = [switchTo(fourth), put("k", "late", { generation: third })];
      checkThrows(() => probe.commit(...both), isError, "a put into what the batch drops");
      checkListing(probe.list(), "k=3", "the current generation");
    },
  },
  {
    name: "generation numbers rise, per shard",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(put("k", "v"));
      let greatest = probe.state.shards()[0]?.generation as number;
      for (let round = 0; round < 5; round += 1) {
        const generation = probe.state.newGeneration(SHARD_A);
        check(generation > greatest, `generation ${generation} is not above ${greatest}`);
        greatest = generation;
        if (round % 2 === 0) probe.commit(put("k", "v", { generation }), switchTo(generation));
      }
    },
  },
  {
    name: "a switch to an empty generation empties the shard",
    run: (storage, { clock }) => {
      const probe = new StateProbe(storage, clock);
      probe.commit(...puts("a=1 b=1"), put("k", "other", { shard: SHARD_B }));
      probe.commit(switchTo(probe.state.newGeneration(SHARD_A)));
      checkListing(probe.list(), "", "the shard");
      checkEqual(
        probe.state.shards().map(({ shard }) => shard),
        [SHARD_B],
        "shards",
      );
      probe.commit(put("a", "2"));
      checkListing(probe.list(), "a=2", "the shard when it is written again");
    },
  },
]);

import { simulate } from "capstan/simulation";
import { expect, test } from "vitest";
import { Orders } from "./orders.ts";
import { config } from "./orders-config.ts";

test("an order that was paid stays paid when the node that took it loses power", async () => {
  await using sim = await simulate({ nodes: 3, seed: 7, config });
  const orders = new Orders(sim.store("n1").keyspace("orders"));
  await sim.until(orders.place("4711", ["milk"]));
  await sim.until(orders.pay("4711"));
  sim.crash("n1", { power: "lose" });
  const elsewhere = new Orders(sim.store("n2").keyspace("orders"));
  expect(await sim.until(elsewhere.find("4711"))).toEqual({ items: ["milk"], state: "paid" });
  await sim.restart("n1");
  await sim.run(5_000);
  const again = new Orders(sim.store("n1").keyspace("orders"));
  expect(await sim.until(again.find("4711"))).toEqual({ items: ["milk"], state: "paid" });
});

test("the side without a majority refuses, and the other side goes on", async () => {
  await using sim = await simulate({ nodes: 5, seed: 8, config });
  sim.partition(["n1"], ["n2", "n3", "n4", "n5"]);
  await sim.run(5_000);
  const alone = new Orders(sim.store("n1").keyspace("orders"));
  await expect(sim.until(alone.place("4712", ["bread"]))).rejects.toMatchObject({
    outcome: "not-applied",
  });
  const rest = new Orders(sim.store("n3").keyspace("orders"));
  await sim.until(rest.place("4712", ["butter"]));
  sim.heal();
  await sim.run(5_000);
  expect(await sim.until(alone.find("4712"))).toEqual({ items: ["butter"], state: "open" });
});

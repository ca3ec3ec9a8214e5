import { defineConfig, valuesOf } from "capstan";

export interface Order {
  readonly items: readonly string[];
  readonly state: "open" | "paid";
}

/** What `openStore` and the tests are given. */
export const config = defineConfig({
  keyspaces: {
    orders: { strategy: "tunable", replicas: 3, shards: 4, schema: valuesOf<Order>() },
  },
});

import type { KeyspaceOf } from "capstan";
import type { config, Order } from "./orders-config.ts";

/** A small service over a keyspace: what a shop would keep in its own process. */
export class Orders {
  readonly #orders: KeyspaceOf<typeof config, "orders">;

  constructor(orders: KeyspaceOf<typeof config, "orders">) {
    this.#orders = orders;
  }

  async place(id: string, items: readonly string[]): Promise<void> {
    await this.#orders.put(id, { items, state: "open" }, { consistency: "strong" });
  }

  async pay(id: string): Promise<void> {
    const order = await this.find(id);
    if (order === undefined) throw new Error(`there is no order ${id}`);
    await this.#orders.put(id, { ...order, state: "paid" }, { consistency: "strong" });
  }

  async find(id: string): Promise<Order | undefined> {
    const read = await this.#orders.get(id, { consistency: "strong" });
    return read.found ? read.value : undefined;
  }
}

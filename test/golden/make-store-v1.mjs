// Makes the golden data of a store of format 1: npm run build && node test/golden/make-store-v1.mjs
import { leaveKilled } from "./leave-killed.mjs";

const wholeValue = (number) => ({ number, at: new Date(number), bytes: new Uint8Array([number]) });

async function writeFirst(store) {
  const users = store.keyspace("users");
  for (let number = 0; number < 20; number += 1)
    await users.put(`user/${number}`, wholeValue(number));
  await store.keyspace("events").put("first", "event");
}

async function writeLast(store) {
  const users = store.keyspace("users");
  for (let number = 10; number < 15; number += 1)
    await users.put(`user/${number}`, wholeValue(100 + number));
  await users.delete("user/3");
}

await leaveKilled({
  script: import.meta.url,
  folder: "store-v1",
  keyspaces: {
    users: { strategy: "tunable", replicas: 1, shards: 2 },
    events: { strategy: "tunable", replicas: 1, shards: 1, durability: "os" },
  },
  writeFirst,
  writeLast,
});

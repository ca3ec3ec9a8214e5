/**
 * One node whose peers can be taken away: `partition-node.mjs DIST SETTINGS`, with an IPC channel.
 *
 * It is told `{ id, call, args }` and answers `{ id, answer }` or `{ id, error }`. The calls are
 * the functions of `CALLS`. All that its store sends to peers goes through the frame filter, which
 * drops it where there is a cut, and counts the bytes of what it lets through.
 */
const [dist, text] = process.argv.slice(2);
const { openStore } = await import(`${dist}/index.js`);
const { configuration, node } = JSON.parse(text);

const IN_FLIGHT = 64;
const POLL_MS = 5;

const apart = new Set();
let sentBytes = 0;
let healedAtMs = 0;
const frameFilter = {
  outgoing(to, _lane, frameBytes) {
    if (apart.has(to)) return [];
    sentBytes += frameBytes;
    return undefined;
  },
  incoming: (from) => (apart.has(from) ? [] : undefined),
};

const store = await openStore(configuration, { node, frameFilter });
await store.ready({ timeoutMs: 60_000 });

const keyOf = (index) => `key-${String(index).padStart(8, "0")}`;
const range = ({ from, to, step }) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step);

/** Some calls at a time, in the order of the indexes. */
async function each(indexes, run) {
  let next = 0;
  const worker = async () => {
    while (next < indexes.length) await run(indexes[next++]);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

const CALLS = {
  cut(nodes) {
    for (const each of nodes) apart.add(each);
  },
  heal() {
    apart.clear();
    sentBytes = 0;
    healedAtMs = performance.now();
  },
  sentBytes: () => sentBytes,
  reachable: () =>
    store
      .describe()
      .nodes.filter(({ status }) => status === "active")
      .map((each) => each.node),
  async update(keyspace, key, operation, consistency) {
    await store.keyspace(keyspace).update(key, operation, { consistency });
  },
  async value(keyspace, key) {
    const read = await store.keyspace(keyspace).get(key, { consistency: "one" });
    return read.found ? read.value : undefined;
  },
  /** Values of `bytes` bytes: the generation, and filling. */
  async fill(keyspace, span, generation, bytes, consistency) {
    const value = `${generation}:`.padEnd(bytes, "x");
    await each(range(span), async (index) => {
      await store.keyspace(keyspace).put(keyOf(index), value, { consistency, timeoutMs: 30_000 });
    });
  },
  /** Settles once this node's own copies of the span's keys are all of the generation. */
  async holds(keyspace, span, generation) {
    let missing = range(span);
    for (;;) {
      const still = [];
      for (const index of missing) {
        const read = await store.keyspace(keyspace).get(keyOf(index), { consistency: "one" });
        if (!read.found || !read.value.startsWith(`${generation}:`)) still.push(index);
      }
      missing = still;
      if (missing.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  },
  /** Whether a round of each shard has found this node and the peer equal since the heal. */
  isEqualTo(keyspace, peer) {
    const { shards } = store.describe().keyspaces.find(({ name }) => name === keyspace).engine;
    return shards.every(({ antiEntropy }) => {
      const rounds = antiEntropy.rounds.find(({ node }) => node === peer);
      return rounds?.settledAtMs > healedAtMs;
    });
  },
  close: () => store.close(),
};

process.on("message", async ({ id, call, args }) => {
  try {
    process.send({ id, answer: await CALLS[call](...args) });
  } catch (error) {
    process.send({ id, error: `${call}: ${error.stack}` });
  }
  if (call === "close") process.disconnect();
});
// Its parent is gone: nobody else would end it.
process.on("disconnect", () => process.exit());
process.send({ id: 0, answer: "ready" });

/**
 * One node that is written to until it is killed: `writing-process.mjs DIST SETTINGS`.
 *
 * Opens the store, says what it holds, then writes. Every line leaves by a write that returns only
 * when the pipe has it, so that what was said before a SIGKILL was said:
 *
 *   HELD key sequence      what a scan after opening found, then one DUMPED
 *   ISSUED key sequence    a put begins
 *   ACKED key sequence     it was acknowledged
 *   REFUSED key sequence   it failed with the outcome `not-applied`
 *   UNKNOWN key sequence   it failed with any other
 */
import { writeSync } from "node:fs";

const [dist, text] = process.argv.slice(2);
const { openStore } = await import(`${dist}/index.js`);
const { configuration, clients, firstSequence, seed } = JSON.parse(text);

const KEYS_OF_A_CLIENT = 8;
/** More than may be under way, so that some are refused. */
const BURST = 24;
/** Now and then a value that fills a good part of a log segment. */
const LARGE_BYTES = 60_000;

function say(...words) {
  writeSync(1, `${words.join(" ")}\n`);
}

let state = seed >>> 0;
function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 4_294_967_296;
}

const store = await openStore(configuration, { node: "n1" });
await store.ready({ level: "one", timeoutMs: 30_000 });
const keyspace = store.keyspace("default");
for await (const { key, value } of keyspace.scan({ consistency: "one" })) {
  say("HELD", key, value.sequence);
}
say("DUMPED");

let sequence = firstSequence;

async function put(key) {
  const own = sequence++;
  const bytes = random() < 0.01 ? LARGE_BYTES : Math.floor(random() * 300);
  say("ISSUED", key, own);
  try {
    await keyspace.put(key, { sequence: own, filling: "f".repeat(bytes) }, { consistency: "one" });
    say("ACKED", key, own);
  } catch (error) {
    say(error.outcome === "not-applied" ? "REFUSED" : "UNKNOWN", key, own);
    // Whoever comes back at once keeps everything else from happening.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function client(number) {
  for (;;) {
    await put(`c${number}-${Math.floor(random() * KEYS_OF_A_CLIENT)}`);
    if (random() > 0.02) continue;
    await Promise.all(Array.from({ length: BURST }, (_, at) => put(`burst${number}-${at}`)));
  }
}

for (let number = 0; number < clients; number += 1) void client(number);

import { openStore } from "capstan";
import { startChild, stopChild } from "../support/child-process.ts";
import { freePorts } from "../support/free-ports.ts";
import {
  closedLoop,
  type Group,
  type GroupOptions,
  type Measurement,
  measurementOf,
  type StartOperation,
} from "../support/measurement.ts";
import { floorGroup } from "./floor.ts";

const NODES = Object.freeze(["n1", "n2", "n3"]);
const KEYS = 10_000;
/** With key, stamp and framing about the floor's record. */
const VALUE = "v".repeat(100);
const READY_TIMEOUT_MS = 20_000;

/**
 * `tunable` over three processes, TCP, memory: the load runs embedded in the first node. A put of
 * the benchmark is a whole put: checked, encoded, stamped, stored three times, with a receipt.
 */
export const tunableGroup: Group = async (options) => {
  const floor = options.earlier.some(({ name }) => name.startsWith("floor"))
    ? options.earlier
    : await floorGroup(options);
  return [...floor, ...(await measureCluster(options, floor))];
};

async function measureCluster(
  { seconds }: GroupOptions,
  floor: readonly Measurement[],
): Promise<readonly Measurement[]> {
  const ports = await freePorts(NODES.length);
  const nodes = Object.fromEntries(NODES.map((node, i) => [node, `127.0.0.1:${ports[i]}`]));
  const configuration = {
    cluster: { name: "benchmark", nodes },
    transport: { type: "tcp" },
    storage: { type: "memory" },
    keyspaces: { default: { strategy: "tunable", replicas: 3 } },
  } as const;
  const script = new URL("../support/store-process.ts", import.meta.url);
  const text = JSON.stringify(configuration);
  const others = await Promise.all(NODES.slice(1).map((node) => startChild(script, [node, text])));
  const store = await openStore(configuration, { node: "n1" });
  await store.ready({ level: "all", timeoutMs: READY_TIMEOUT_MS });
  const keyspace = store.keyspace("default");
  const rows: Measurement[] = [];
  const faults = new Map<string, number>();
  let row = "";
  const failed = (error: { readonly code?: string }) => {
    const what = `${row}: ${error.code ?? String(error)}`;
    faults.set(what, (faults.get(what) ?? 0) + 1);
  };
  const keyOf = (index: number) => `key-${(index * 7_919) % KEYS}`;
  for (let i = 0; i < KEYS; i++) await keyspace.put(keyOf(i), VALUE, { consistency: "all" });
  for (const consistency of ["one", "quorum"] as const) {
    const put: StartOperation = (index, done) => {
      keyspace.put(keyOf(index), VALUE, { consistency }).then(done, (error) => {
        failed(error);
        done();
      });
    };
    const get: StartOperation = (index, done) => {
      keyspace.get(keyOf(index), { consistency }).then(done, (error) => {
        failed(error);
        done();
      });
    };
    for (const [operation, start] of [
      ["put", put],
      ["get", get],
    ] as const) {
      for (const inFlight of [1, 64]) {
        row = `${operation} ${consistency}, ${inFlight} in flight`;
        const result = await closedLoop(inFlight, seconds, start);
        rows.push(measurementOf(`tunable ${operation} ${consistency}`, inFlight, result, floor));
      }
    }
  }
  await store.close();
  await Promise.all(others.map(({ child }) => stopChild(child)));
  // A row with faults is a row about something else: it is said, and the run fails.
  for (const [what, count] of faults) process.stderr.write(`FAULTS ${what} × ${count}\n`);
  if (faults.size > 0) process.exitCode = 1;
  return rows;
}

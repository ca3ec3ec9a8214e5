import { afterEach } from "vitest";
import { type CapstanError, isCapstanError } from "../../src/core/model/errors.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";

const opened: Cluster[] = [];

afterEach(async () => {
  for (const cluster of opened.splice(0)) await cluster.close();
});

/** Closed when the test is over. */
export async function open(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.open(options);
  opened.push(cluster);
  return cluster;
}

/** The fault that the call ends with. */
export async function faultOf(cluster: Cluster, call: Promise<unknown>): Promise<CapstanError> {
  const fault = await cluster.until(
    call.then(
      () => new Error("it succeeded"),
      (error: unknown) => error,
    ),
  );
  if (!isCapstanError(fault)) throw fault;
  return fault;
}

/** Frames but heartbeats that nodes hand over from now on, as `from>to`. */
export function watchFrames(cluster: Cluster): string[] {
  const frames: string[] = [];
  cluster.network.onFrame = ({ from, to, lane }) => {
    if (lane !== "control") frames.push(`${from}>${to}`);
  };
  return frames;
}

/** Until every replica that the node hosts serves. */
export async function waitUntilServing(cluster: Cluster, id: string, keyspace = "default") {
  await cluster.waitFor(() => {
    const { hosted, serving } = cluster.keyspace(id, keyspace).describe();
    return hosted === serving;
  });
}

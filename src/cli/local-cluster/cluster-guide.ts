import type { Paint } from "../paint.ts";
import type { NodeProcess } from "./node-process.ts";
import { type ClusterPlan, LOCAL_HOST, type PlannedNode } from "./plan-cluster.ts";

/** Which addresses the nodes have, before they serve. */
export function addressLines(
  { nodes, configuration }: ClusterPlan,
  processes: readonly NodeProcess[],
  paint: Paint,
): string[] {
  const peersOf = ({ peerPort }: PlannedNode): string =>
    peerPort === undefined ? `over ${configuration.transport?.type}` : `${LOCAL_HOST}:${peerPort}`;
  return nodes.map(
    (node, index) =>
      `  ${paint("bold", node.id)}  ${httpUrl(node)}  ` +
      paint("dim", `peers ${peersOf(node)}  pid ${processes[index]?.pid ?? "-"}`),
  );
}

/** Lines to paste into another terminal. */
export function guideLines(
  plan: ClusterPlan,
  processes: readonly NodeProcess[],
  own: string,
  paint: Paint,
): string[] {
  const [first] = plan.nodes;
  const last = plan.nodes.at(-1);
  if (first === undefined || last === undefined) return [];
  const second = plan.nodes[1] ?? first;
  const path = dataPath(plan);
  const quorum = "-H 'consistency-level: quorum'";
  const lines = [
    "Try it, in another terminal:",
    paint("dim", "  # write, and read from another node at quorum"),
    `  curl -X PUT ${httpUrl(first)}${path}/greeting -H 'content-type: application/json' ` +
      `-d '{"value": "hello"}'`,
    `  curl ${httpUrl(second)}${path}/greeting ${quorum}`,
    paint("dim", "  # the keys in order, and the cluster as this node sees it"),
    `  curl '${httpUrl(first)}${path}?prefix=g&limit=10'`,
    `  curl ${httpUrl(first)}/api/v1/cluster/health`,
  ];
  const victim = processes.at(-1);
  if (plan.nodes.length >= 3 && victim?.pid !== undefined) {
    lines.push(
      paint("dim", `  # kill ${victim.id}: reads and writes at quorum go on`),
      `  kill -9 ${victim.pid}`,
      `  curl ${httpUrl(first)}${path}/greeting ${quorum}`,
    );
  }
  lines.push(
    paint("dim", "  # or without curl"),
    `  ${own} status${first.httpPort === 8401 ? "" : ` --url ${httpUrl(first)}`}`,
  );
  return [...lines, "", "Ctrl-C ends all nodes."];
}

function httpUrl({ httpPort }: PlannedNode): string {
  return `http://${LOCAL_HOST}:${httpPort}`;
}

/** The keyspace `default` has the short path; without one, the first keyspace is shown. */
function dataPath({ configuration }: ClusterPlan): string {
  const names = Object.keys(configuration.keyspaces);
  const name = names.includes("default") ? undefined : names[0];
  return name === undefined ? "/api/v1/data" : `/api/v1/keyspaces/${encodeURIComponent(name)}/data`;
}

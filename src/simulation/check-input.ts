import { isPlainObject } from "../core/model/plain-object.ts";
import { CONNECTION_MODES, GOOD_NETWORK, type NetworkConditions } from "./network-conditions.ts";
import type { CrashOptions } from "./sim-world.ts";
import type { SimulatedNodes, SimulationOptions } from "./simulate.ts";
import { CUT_EFFECTS } from "./simulated-file.ts";

// A test that is misspelt must not pass for that: nothing is taken for what it might have meant.

const OPTIONS: readonly string[] = Object.freeze([
  ...["nodes", "seed", "config", "network", "connections", "log"],
]);
const CRASH_OPTIONS: readonly string[] = Object.freeze(["power", "silently"]);
const CONDITIONS: readonly string[] = Object.freeze(Object.keys(GOOD_NETWORK));
const SHARES: readonly string[] = Object.freeze(["loss", "doubling", "tailShare"]);
const MAX_NODES = 7;

/** Whatever is wrong about `simulate`'s options but what `openStore` finds in the configuration. */
export function checkOptions<K>(options: SimulationOptions<K>): void {
  checkNames("simulate", options, OPTIONS);
  const { nodes = 3, seed = 1, config = {}, connections = "pairs", network = {} } = options;
  checkNodes(nodes);
  if (!Number.isSafeInteger(seed)) throw refusal("seed", seed, "a whole number");
  if (!isPlainObject(config)) throw refusal("config", config, "an object, as for openStore");
  checkWord("connections", connections, CONNECTION_MODES);
  checkConditions(network);
}

function checkNodes(nodes: SimulatedNodes): void {
  if (typeof nodes === "number" && !Number.isInteger(nodes)) {
    throw new RangeError(`nodes: ${nodes} is not a whole number`);
  }
  const isList = Array.isArray(nodes);
  if (typeof nodes !== "number" && !isList && !isPlainObject(nodes)) {
    throw refusal(
      "nodes",
      nodes,
      `1 to ${MAX_NODES}, names, or the datacenter of each by its name`,
    );
  }
  const count = typeof nodes === "number" ? nodes : Object.keys(nodes).length;
  if (!(count >= 1 && count <= MAX_NODES)) {
    throw new RangeError(`nodes: ${count}; allowed are 1 to ${MAX_NODES}`);
  }
  if (isList) checkOnce("nodes", nodes);
  else if (typeof nodes !== "number") checkDatacenters(nodes);
}

function checkDatacenters(nodes: object): void {
  for (const [id, node] of Object.entries(nodes)) {
    const keys = isPlainObject(node) ? Object.keys(node) : [];
    if (keys.length === 1 && keys[0] === "datacenter") continue;
    throw refusal(`nodes.${id}`, JSON.stringify(node), "{ datacenter }");
  }
}

export function checkConditions(conditions: Partial<NetworkConditions>): void {
  checkNames("network", conditions, CONDITIONS);
  for (const [name, value] of Object.entries(conditions)) {
    const what = `network.${name}`;
    if (name === "reorders") {
      if (typeof value !== "boolean") throw refusal(what, value, "true, false");
    } else if (SHARES.includes(name)) checkNumber(what, value, 0, 1);
    else checkNumber(what, value, name === "bytesPerMs" ? Number.MIN_VALUE : 0);
  }
}

export function checkCrash(options: CrashOptions): void {
  checkNames("crash", options, CRASH_OPTIONS);
  if (options.power !== undefined) checkWord("power", options.power, CUT_EFFECTS);
}

/** At least two groups, each with somebody, nobody in two: else nothing would be cut. */
export function checkGroups(
  groups: readonly (readonly string[])[],
  nodes: readonly string[],
): void {
  if (groups.length < 2 || groups.some((group) => group.length === 0)) {
    const given = JSON.stringify(groups);
    throw refusal("partition", given, "two groups of nodes or more, each with one node or more");
  }
  const all = groups.flat();
  const unknown = all.find((id) => !nodes.includes(id));
  if (unknown !== undefined) {
    throw refusal("partition", JSON.stringify(unknown), `of the nodes ${nodes.join(", ")}`);
  }
  checkOnce("partition", all);
}

/** Also not NaN, with which virtual time would never end. */
export function checkNumber(what: string, value: unknown, least: number, most = Infinity): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) {
    return;
  }
  const from = least === Number.MIN_VALUE ? "above 0" : `from ${least}`;
  const range = least === -Infinity ? "" : ` ${from}${most === Infinity ? "" : ` to ${most}`}`;
  throw refusal(what, value, `a finite number${range}`);
}

function checkWord(what: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string)) throw refusal(what, value, allowed.join(", "));
}

function checkNames(what: string, options: object, allowed: readonly string[]): void {
  if (!isPlainObject(options)) throw refusal(what, options, "an object of options");
  const unknown = Object.keys(options).find((name) => !allowed.includes(name));
  if (unknown === undefined) return;
  throw new RangeError(`${what}: there is no option "${unknown}"; allowed: ${allowed.join(", ")}`);
}

function checkOnce(what: string, ids: readonly string[]): void {
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw refusal(what, `"${twice}" twice`, "each node once");
}

function refusal(what: string, value: unknown, allowed: string): RangeError {
  return new RangeError(`${what}: ${String(value)}; allowed: ${allowed}`);
}

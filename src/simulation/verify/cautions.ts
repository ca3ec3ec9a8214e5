import { LOCAL_COPIES } from "../scenario/tunable/local-keys.ts";
import { clocksMayDiffer } from "./draw-run.ts";
import { countOf, countsMeet } from "./promised-checks.ts";
import { takesConditions, valuesDiffer } from "./side-groups.ts";
import { MAX_NODES, type Subject } from "./subject.ts";

/** Something that the configuration cannot promise, whatever histories show. */
export interface Caution {
  readonly keyspace: string;
  readonly code:
    | "reads-may-miss-writes"
    | "local-alone"
    | "counts-get-lost"
    | "two-replicas"
    | "one-replica"
    | "memory"
    | "lazy-sync"
    | "degraded"
    | "lower-levels"
    | "merge-breaks-laws"
    | "laws-not-tried"
    | "laws-tried-on-text"
    | "values"
    | "not-used"
    | "conditions-not-tried"
    | "simulated";
  readonly sentence: string;
}

/** Said in words, because a run of seeds cannot say it: why, and what to do instead. */
export function cautionsOf(subject: Subject, workload: "register" | "counter"): readonly Caution[] {
  const { name } = subject.keyspace;
  const all: readonly (readonly [Caution["code"], string | undefined])[] = [
    ["reads-may-miss-writes", readsMayMiss(subject)],
    ["local-alone", localAlone(subject)],
    ["counts-get-lost", countsGetLost(subject, workload)],
    ...replicas(subject),
    ...durability(subject),
    ["lower-levels", lowerLevels(subject)],
    ["values", values(subject)],
    ["not-used", notUsed(subject)],
    ["conditions-not-tried", conditionsNotTried(subject)],
    ...simulated(subject),
  ];
  return all.flatMap(([code, sentence]) =>
    sentence === undefined ? [] : [{ keyspace: name, code, sentence }],
  );
}

/** `R + W ≤ N`, which people take for strong because most reads are right. */
function readsMayMiss(subject: Subject): string | undefined {
  const { defaults, replicas: copies, use, description } = subject;
  const [reads, writes] = [countOf(defaults.read, copies), countOf(defaults.write, copies)];
  if (reads === undefined || writes === undefined || countsMeet(defaults, copies)) return undefined;
  const lead =
    `it reads at ${defaults.read} (R = ${reads}) and writes at ${defaults.write} (W = ${writes}) of ` +
    `N = ${copies} copies: `;
  if (reads + writes <= copies) {
    return (
      `${lead}R + W <= N, so a read may miss a write that was acknowledged, and a later read may see ` +
      "less than an earlier one. Do not take it for strong: set read and write to quorum" +
      `${description.readLevels.includes("strong") ? ", or ask for strong where it matters." : "."}`
    );
  }
  // Where versions stay or are joined, two writes that miss each other are both kept.
  if (use !== "register") return undefined;
  return (
    `${lead}2 W <= N, so two writes may miss each other, and the one with the slower clock is lost ` +
    "although it came later. Write at quorum."
  );
}

/** Both sides of a cut go on, and each sees its own. */
function localAlone({ defaults, datacenters, use }: Subject): string | undefined {
  const { write, read } = defaults;
  const isLocalRead = read === "local-quorum" && !["each-quorum", "all"].includes(write);
  if (datacenters === undefined || (write !== "local-quorum" && !isLocalRead)) return undefined;
  const count = new Set(Object.values(datacenters)).size;
  const lead = `it reads at ${read} and writes at ${write}, in ${count} datacenters: `;
  if (write !== "local-quorum") {
    return (
      `${lead}a read asks the nodes of its own one, which need not have what was acknowledged elsewhere. ` +
      "Write at each-quorum to read so."
    );
  }
  const clocks =
    use === "register"
      ? ", and of two writes in two of them the one with the later clock stays"
      : "";
  return (
    `${lead}what is written in one of them is seen in another only once they have met${clocks}. Keep each key ` +
    "to one datacenter, or write at each-quorum."
  );
}

/** The last writer wins: of two increments from the same number one is gone. */
function countsGetLost(
  { keyspace, values: source, description }: Subject,
  workload: "register" | "counter",
): string | undefined {
  const isLastWriter =
    description.strategy === "tunable" ||
    (description.strategy === "dynamo" && keyspace.resolver === "lww");
  const why =
    workload === "counter" ? "it is to count" : "its schema takes numbers, which look like counts";
  if (!isLastWriter || !(workload === "counter" || source.isNumeric)) return undefined;
  return (
    `${why}, and the last writer wins: of two clients that read the same number and write it plus one, ` +
    "one is not counted, at every level, strong too. Count with a CRDT (pn-counter), or in a keyspace " +
    "with conditional writes (raft)."
  );
}

function replicas({ keyspace, replicas: copies, resolved, defaults }: Subject) {
  const nodes = resolved.cluster.nodes.length;
  const sentences: (readonly [Caution["code"], string | undefined])[] = [];
  if (keyspace.replicas > copies) {
    sentences.push([
      "degraded",
      `it asks for ${keyspace.replicas} replicas and has ${nodes} ${nodes === 1 ? "node" : "nodes"}: ` +
        `there are ${copies} copies.`,
    ]);
  }
  if (copies === 1) {
    sentences.push([
      "one-replica",
      "there is one copy of each key: with its node down nothing is answered, with its disk lost all is.",
    ]);
  }
  if (copies === 2) {
    const stops = [defaults.read, defaults.write].some((level) => (countOf(level, 2) ?? 2) > 1);
    sentences.push([
      "two-replicas",
      "two copies do not survive a loss: a majority of two is two, so with one node down quorum and " +
        `strong are refused${stops ? " (its own levels are among those)" : ""}, and what was acknowledged ` +
        "by one copy alone goes with that copy. Three replicas go on with one of them gone.",
    ]);
  }
  return sentences;
}

function durability({ keyspace, storage, resolved }: Subject) {
  const sentences: (readonly [Caution["code"], string | undefined])[] = [];
  if (storage === "memory") {
    sentences.push([
      "memory",
      `storage ${JSON.stringify(resolved.storage.type)} ends with its process: when more nodes than the others can make up for stop at ` +
        "the same time (a power cut, an upgrade of all of them), everything is gone. No more than that " +
        "was tried.",
    ]);
  } else if (keyspace.durability === "memory") {
    sentences.push([
      "memory",
      'durability "memory" acknowledges what no file has: a process that ends takes its copies of it ' +
        "along, and a majority of processes that end at once loses it. No more than that was tried.",
    ]);
  } else if (keyspace.durability === "os") {
    sentences.push([
      "lazy-sync",
      'durability "os" acknowledges before the disk has it: a power cut takes the latest writes of that ' +
        "machine, and one of a majority at once loses them. No more than that was tried.",
    ]);
  }
  return sentences;
}

function lowerLevels({ partitionPolicy }: Subject): string | undefined {
  if (partitionPolicy !== "prefer-availability") return undefined;
  return (
    "partitionPolicy prefer-availability answers below the level that was asked where that cannot be " +
    "reached; only receipt.achieved and receipt.consistent say so, and nothing is promised of such an answer."
  );
}

function values({ values: source }: Subject): string | undefined {
  if (source.kind !== "none") return undefined;
  return (
    "none of the values that were drawn passes its schema, so it was verified without the schema, with " +
    "plain text. A schema that tells its shape (Standard JSON Schema, as zod's do) is drawn from."
  );
}

function notUsed({ use }: Subject): string | undefined {
  if (use === "merged") {
    return (
      "its resolver makes values that nobody has written: that the replicas serve again was looked " +
      "at, and the laws of a resolver of your own; what reads find was not judged."
    );
  }
  if (use !== "unused") return undefined;
  return "the operations of its resolver are not known to this command: it was read, and not written.";
}

function conditionsNotTried(subject: Subject): string | undefined {
  if (!takesConditions(subject) || valuesDiffer(subject)) return undefined;
  return (
    "its schema takes too few different values to tell one write from another: conditional writes " +
    "were not tried."
  );
}

function simulated(subject: Subject) {
  const { resolved } = subject;
  const sentences: (readonly [Caution["code"], string | undefined])[] = [];
  const nodes = resolved.cluster.nodes.length;
  if (nodes > MAX_NODES) {
    sentences.push(["simulated", `of its ${nodes} nodes ${MAX_NODES} are simulated.`]);
  }
  const count = new Set(Object.values(subject.datacenters ?? {})).size;
  if (subject.replicas < LOCAL_COPIES * count && hasLocalLevel(subject)) {
    sentences.push([
      "simulated",
      `${subject.replicas} replicas over ${count} datacenters: where one of these holds a single copy of a key, ` +
        "local-quorum is that copy, and what is lost with it was not tried.",
    ]);
  }
  if (!clocksMayDiffer(subject)) {
    sentences.push([
      "simulated",
      `clock.maxSkew is ${resolved.clock.maxSkewMs} ms: clocks were not skewed, since the faults skew them ` +
        "by seconds. Beyond maxSkew writes are refused.",
    ]);
  }
  return sentences;
}

function hasLocalLevel({ description }: Subject): boolean {
  return description.writeLevels.includes("local-quorum");
}

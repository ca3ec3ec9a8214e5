import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { termOfEntry } from "../../../../../src/strategies/raft/entry.ts";
import type { PlantedConsensusBugs } from "../../../../../src/strategies/raft/planted-bugs.ts";
import type { WorldNode } from "../world/world-node.ts";
import { showTerm } from "./show-message.ts";
import { Stage } from "./stage.ts";

/** More than goes with a question where the logs agree. */
const LONG_ENTRY_BYTES = 20 * 1024;

/**
 * The language of these transcripts, one command a line; what follows indented is what was seen.
 *
 * - `nodes 3 [+ 1] [one entry a message] [rests]`: a shard is born on n1 … n3; n4 is there, and
 *   empty. It comes to rest when nobody wants anything of it.
 * - `detect n1`, `notice n1`: the others hold n1 unreachable, and reachable again.
 * - `wait 100`: milliseconds pass, and messages arrive at once. `hurry n1`: its clock jumps ahead,
 *   and whatever it waits for is over.
 * - `fill n1 60`: so many entries, of which nothing is told. `propose n1 x`, `read n2`, `lease n1`, `transfer n1 [n2]`, `change n1 to n1 n2 n4`.
 * - `long n1 x`: as `propose`, of an entry that goes alone also where it is asked where logs agree.
 * - `crash n1`, `start n1`, `wipe n1`: what was not synced is lost; so is, with `wipe`, everything.
 *   `back n1`: what was there before it was wiped is there again.
 * - `damage n1 3`: it crashes and starts, and knows that it has lost what is behind that index.
 * - `recover n1`: somebody accepts that the others are lost for good.
 * - `cut n1>n2 …`, `cut n1` (from and to all), `heal`.
 * - `manual` / `automatic`; `deliver n1>n2 [type]`, `lose n1>n2 [type]`, `forget` (all in flight).
 * - `verbose` / `quiet`: heartbeats too. `show n1`: its log.
 */
export class TranscriptRunner {
  readonly #planted: PlantedConsensusBugs;
  #stage: Stage | undefined;

  /** @param planted what all nodes of the transcript do wrong. */
  constructor(planted: PlantedConsensusBugs = {}) {
    this.#planted = planted;
  }

  /** @throws for a command that is none. */
  run(line: string): readonly string[] {
    const [command = "", ...words] = line.split(" ");
    if (command === "nodes") {
      const isShort = line.includes("one entry a message");
      const voters = Number(words[0]);
      const spares = words[1] === "+" ? Number(words[2]) : 0;
      this.#stage = new Stage({
        ...{ nodes: voters + spares, voters, messageBytes: isShort ? 1 : 1_000 },
        ...{ rests: words.includes("rests"), planted: this.#planted },
      });
      // Until what the birth has kept is on the disks.
      this.#stage.wait(3);
      return [];
    }
    const stage = this.#stage;
    if (stage === undefined) throw new Error("a transcript begins with: nodes 3");
    stage.lines.length = 0;
    if (!this.#onTime(stage, command, words) && !this.#onNode(stage, command, words)) {
      throw new Error(`"${line}" is not a command`);
    }
    stage.settle();
    return stage.lines.slice();
  }

  #onTime(stage: Stage, command: string, words: readonly string[]): boolean {
    const [first = "", second] = words;
    if (command === "wait") stage.wait(Number(first));
    else if (command === "manual") stage.isManual = true;
    else if (command === "automatic") stage.isManual = false;
    else if (command === "verbose") stage.isVerbose = true;
    else if (command === "quiet") stage.isVerbose = false;
    else if (command === "heal") stage.cut.clear();
    else if (command === "forget") stage.forget();
    else if (command === "cut") for (const link of words) cut(stage, link);
    else if (command === "deliver" || command === "lose") {
      const [from = "", to = ""] = first.split(">");
      if (!stage.next(from, to, second, command === "lose")) stage.say("nothing is on its way");
    } else return false;
    return true;
  }

  #onNode(stage: Stage, command: string, [name = "", ...words]: readonly string[]): boolean {
    const node = stage.node(name);
    if (node === undefined) throw new Error(`there is no node "${name}"`);
    if (command === "detect" || command === "notice") detect(stage, node, command === "notice");
    else if (command === "hurry") node.hurry(2 * stage.timing.electionTimeoutMs);
    else if (command === "propose") propose(stage, node, words.join(" "));
    else if (command === "long") propose(stage, node, words.join(" ").padEnd(LONG_ENTRY_BYTES));
    else if (command === "fill") fill(stage, node, Number(words[0]));
    else if (command === "crash") node.crash();
    else if (command === "start") node.restart();
    else if (command === "wipe") {
      node.crash();
      node.wipe();
      node.restart();
    } else if (command === "back") {
      node.crash();
      node.bringBack();
      node.restart();
    } else if (command === "damage") {
      node.crash();
      node.disk.loseBehind(Number(words[0]));
      stage.tailsLost++;
      node.start("empty");
    } else if (command === "show") show(stage, node);
    else return this.#onLeader(stage, node, command, words);
    return true;
  }

  #onLeader(stage: Stage, node: WorldNode, command: string, words: readonly string[]): boolean {
    const { consensus } = node;
    if (consensus === undefined) throw new Error(`${node.id} is down`);
    if (command === "lease") {
      stage.say(`${node.id} ${consensus.leaseHolds(node.now()) ? "holds" : "holds not"}`);
    } else if (command === "read") {
      node.onRead = (answer) => stage.say(`${node.id} ${answer}`);
      node.step((at, effects) => consensus.read(stage.newToken(), at, effects));
    } else if (command === "transfer") {
      node.step((at, effects) => {
        const to = words[0] as NodeId | undefined;
        if (!consensus.transferLeadership(to, at, effects)) stage.say("there is nobody");
      });
    } else if (command === "recover") {
      stage.say(node.recover() ?? "goes on alone");
    } else if (command === "change") {
      const voters = words.slice(1) as NodeId[];
      node.step((at, effects) => {
        const result = consensus.proposeConfiguration({ voters, learners: [] }, at, effects);
        stage.say(result.refused === undefined ? `at ${result.index}` : result.refused);
      });
    } else return false;
    return true;
  }
}

function detect(stage: Stage, node: WorldNode, isReachable: boolean): void {
  if (isReachable) stage.unreachable.delete(node.id);
  else stage.unreachable.add(node.id);
  for (const other of stage.nodes) {
    if (other === node) continue;
    const { consensus } = other;
    other.step((at, effects) => consensus?.reachability(node.id, isReachable, at, effects));
  }
}

function propose(stage: Stage, node: WorldNode, text: string): void {
  const index = node.propose(text);
  stage.say(index === undefined ? "refused" : `at ${index}`);
}

/** Entries, and time for the state to be on the disk, so that the log can forget. */
function fill(stage: Stage, node: WorldNode, count: number): void {
  for (let i = 1; i <= count; i++) {
    node.propose(`entry ${i}`);
    stage.wait(13);
  }
  stage.lines.length = 0;
}

function cut(stage: Stage, link: string): void {
  if (link.includes(">")) {
    stage.cut.add(link);
    return;
  }
  for (const { id } of stage.nodes) {
    stage.cut.add(`${link}>${id}`);
    stage.cut.add(`${id}>${link}`);
  }
}

function show(stage: Stage, { id, disk, consensus }: WorldNode): void {
  const { first, last } = disk.image;
  const terms: string[] = [];
  for (let index = first; index <= last; index++) {
    const record = disk.image.record(index);
    terms.push(`${index}/${record === undefined ? "?" : showTerm(termOfEntry(record))}`);
  }
  stage.say(`${id} committed ${consensus?.commitIndex ?? "?"}: ${terms.join(" ")}`);
}

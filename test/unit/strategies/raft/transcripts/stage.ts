import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { describeConfiguration } from "../../../../../src/strategies/raft/configuration.ts";
import type { PairMessage } from "../../../../../src/strategies/raft/pair-messages.ts";
import type { PeerMessage } from "../../../../../src/strategies/raft/peer-messages.ts";
import type { PlantedConsensusBugs } from "../../../../../src/strategies/raft/planted-bugs.ts";
import { World } from "../world/world.ts";
import type { WorldNode } from "../world/world-node.ts";
import { showMessage, showTerm } from "./show-message.ts";

/** What is only shown in a verbose transcript. */
const BEATS: readonly string[] = Object.freeze([
  "heartbeat",
  "heartbeat-reply",
  "pair-heartbeat",
  "pair-reply",
]);

interface InFlight {
  readonly from: WorldNode;
  readonly to: WorldNode;
  readonly message: PeerMessage | PairMessage;
  readonly lives: readonly [number, number];
}

interface Seen {
  standing: string;
  applied: number;
  configuration: string;
}

export interface StageOptions {
  readonly nodes: number;
  readonly voters: number;
  readonly messageBytes: number;
  readonly rests: boolean;
  readonly planted: PlantedConsensusBugs;
}

/**
 * A world whose network does as it is told: messages arrive at once and in order, or, in manual
 * mode, one at a time. Disks sync at once. Says what it sees.
 */
export class Stage extends World {
  readonly lines: string[] = [];
  isManual = false;
  isVerbose = false;
  #flights: InFlight[] = [];
  readonly #seen = new Map<WorldNode, Seen>();

  constructor({ nodes, voters, messageBytes, rests, planted }: StageOptions) {
    super({
      ...{ seed: 1, nodes, voters, clockBound: 0, priorities: false, flushesAtOnce: true },
      ...{ rests: rests ? {} : undefined, planted },
      limits: { messageBytes, inflightBytes: 10_000, inflightMessages: 64 },
    });
    this.maxSyncMs = 0;
    for (const node of this.nodes) node.onEvent = (event) => this.#hear(node, event);
    this.look();
    this.lines.length = 0;
  }

  override send(from: WorldNode, to: NodeId, message: PeerMessage | PairMessage): void {
    const target = this.node(to);
    if (target === undefined) return;
    const lives = [from.incarnation, target.incarnation] as const;
    this.#flights.push({ from, to: target, message, lives });
  }

  /** Lets `ms` pass; what is sent meanwhile arrives. */
  wait(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.nowMs < untilMs) {
      this.run(Math.min(untilMs, this.nowMs + 1));
      this.settle();
    }
  }

  /** Everything that is on its way arrives, and what that leads to, as far as it may. */
  settle(): void {
    this.run(this.nowMs);
    for (let at = 0; at < this.#flights.length; ) {
      const flight = this.#flights[at] as InFlight;
      const isOwn = flight.from === flight.to;
      if (this.isManual && !isOwn) {
        at++;
        continue;
      }
      this.#flights.splice(at, 1);
      this.#arrive(flight);
    }
    this.look();
  }

  /** The oldest message of a link arrives, or is lost; undefined: there is none. */
  next(from: string, to: string, type: string | undefined, isLost: boolean): boolean {
    const at = this.#flights.findIndex(
      (flight) =>
        flight.from.id === from &&
        flight.to.id === to &&
        (type === undefined || flight.message.type === type),
    );
    const [flight] = at < 0 ? [] : this.#flights.splice(at, 1);
    if (flight === undefined) return false;
    if (isLost) this.say(`lost: ${this.#show(flight)}`);
    else this.#arrive(flight);
    this.settle();
    return true;
  }

  forget(): void {
    this.#flights = [];
  }

  say(line: string): void {
    this.lines.push(line);
  }

  /** What is new about the nodes. */
  look(): void {
    for (const node of this.nodes) {
      const before = this.#seen.get(node);
      const now = this.#see(node);
      this.#seen.set(node, now);
      if (!node.isUp) continue;
      if (now.configuration !== before?.configuration) {
        this.say(`${node.id} is in ${now.configuration}`);
      }
      if (now.standing !== before?.standing) this.say(`${node.id} ${now.standing}`);
      if (now.applied < (before?.applied ?? 0)) this.say(`${node.id} has applied ${now.applied}`);
      for (const entry of node.applied.slice(before?.applied ?? 0)) {
        this.say(
          `${node.id} applies ${entry.index}/${showTerm(entry.term)} ${entry.text.slice(0, 20).trimEnd()}`,
        );
      }
    }
  }

  #see(node: WorldNode): Seen {
    const { consensus } = node;
    if (consensus === undefined) return { standing: "is down", applied: 0, configuration: "" };
    return {
      standing: showStanding(node),
      applied: node.applied.length,
      configuration: describeConfiguration(consensus.configuration),
    };
  }

  #hear({ id }: WorldNode, { type, nodes, ahead }: Readonly<Record<string, unknown>>): void {
    if (type === "writes-may-be-lost") this.say(`${id} says that writes may be lost`);
    if (type === "raft-waits")
      this.say(`${id} waits for ${nodes}; later: ${String(ahead) || "nobody"}`);
  }

  #arrive(flight: InFlight): void {
    const { from, to, message, lives } = flight;
    if (lives[0] !== from.incarnation || lives[1] !== to.incarnation || !to.isUp) return;
    const isCut = this.cut.has(`${from.id}>${to.id}`);
    const isBeat = BEATS.includes(message.type);
    if (from !== to && !isCut && (this.isVerbose || !isBeat)) this.say(this.#show(flight));
    if (isCut) return;
    to.receive(from.self, message);
    this.run(this.nowMs);
    this.look();
  }

  #show({ from, to, message }: InFlight): string {
    return `${from.id} → ${to.id} ${showMessage(message)}`;
  }
}

function showStanding({ consensus }: WorldNode): string {
  if (consensus === undefined) return "is down";
  const { role, leader } = consensus.standing;
  const term = showTerm(consensus.standing.term);
  if (consensus.describe().state === "superseded") return `is superseded, in term ${term}`;
  const isResting = consensus.describe().resting === true;
  if (role === "leader") return `leads term ${term}${isResting ? ", at rest" : ""}`;
  if (role === "candidate") return `stands in term ${term}`;
  if (role === "pre-candidate")
    return `asks whether to stand in term ${showTerm(consensus.standing.term + 1)}`;
  if (isResting) return `rests behind ${leader} in term ${term}`;
  return leader === undefined ? `waits in term ${term}` : `follows ${leader} in term ${term}`;
}

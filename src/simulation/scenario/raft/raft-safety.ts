import type { LogPosition } from "../../../core/model/ids.ts";
import type { Violation } from "../strategy-scenario.ts";
import { type LogPicture, ReplicaLog, termAt } from "./replica-log.ts";

const MAX_REPORTED = 3;

/** What a place (shard, index, term) names. */
interface KnownEntry {
  readonly hash: number;
  /** Of the entry before it; undefined if nobody was seen to have both. */
  readonly termBefore: number | undefined;
  readonly node: string;
}

/** A log at the moment when a term's first entry came into it, and that entry's index. */
interface Beginning {
  readonly index: number;
  readonly node: string;
  readonly picture: LogPicture;
}

/** What is known of one shard, over all nodes and their lives. */
class ShardHistory {
  /** By term: who was seen to lead. */
  readonly leaders = new Map<number, string>();
  /** By term and index. */
  readonly entries = new Map<number, Map<number, KnownEntry>>();
  /** By term. */
  readonly beginnings = new Map<number, Beginning>();
  /** By group and index. */
  readonly committed = new Map<string, CommittedEntry>();
}

/** An entry of that term which a leader of `by`, or of an earlier term, has committed. */
interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly by: number;
}

export interface RaftSafetyOptions {
  /** Of a term: terms of different groups have nothing to do with each other. */
  readonly groupOf: (term: number) => number;
}

/**
 * Three of the safety properties of the extended Raft paper's Figure 3, over all replicas of a
 * keyspace at once, as no replica can look at them:
 * - Election Safety: a term has at most one leader;
 * - Log Matching: index and term name one entry, and one entry before it;
 * - Leader Completeness: whatever is committed in a term is in the logs of all leaders of later terms.
 *   An entry may be of an earlier term than that (§5.4.2), and leaders in between may lack it.
 *
 * A leader begins its term with an entry (§8), and by Log Matching whoever takes that up has the
 * leader's log before it: the first replica at which it shows stands for the leader.
 */
export class RaftSafety {
  readonly violations: Violation[] = [];
  readonly #options: RaftSafetyOptions;
  readonly #shards = new Map<number, ShardHistory>();
  /** By node: the store that it runs on. */
  readonly #stores = new Map<string, string>();
  /** By node and store, and by shard. */
  readonly #logs = new Map<string, Map<number, ReplicaLog>>();
  readonly #reported = new Map<string, number>();
  /** Entries that were compared with what another replica had in their place. */
  compared = 0;

  constructor(options: RaftSafetyOptions) {
    this.#options = options;
  }

  /** @param life of the node: a process that has ended leads no more. */
  leads(node: string, life: number, shard: number, term: number): void {
    const { leaders } = this.#of(shard);
    const who = `${node} in its life ${life}`;
    const known = leaders.get(term);
    if (known === undefined) leaders.set(term, who);
    else if (known !== who) {
      this.#violate("election-safety", `shard ${shard}: ${known} and ${who} lead in term ${term}`);
    }
  }

  /**
   * The node has started on this store, with what its log had up to there.
   *
   * @param lastIndexOf what a shard's log ends with.
   */
  opened(
    node: string,
    storeId: string,
    last: LogPosition,
    lastIndexOf?: (shard: number) => number,
  ): void {
    this.#stores.set(node, storeId);
    for (const [shard, log] of this.#logsOf(node)) log.fallBackTo(last, lastIndexOf?.(shard));
  }

  appended(
    node: string,
    shard: number,
    entry: { position: LogPosition; index: number; term: number; hash: number },
  ): void {
    const { position, index, term, hash } = entry;
    const history = this.#of(shard);
    const log = this.#log(node, shard);
    const termBefore = log.lastTerm;
    this.#match(node, shard, { index, term }, { hash, termBefore, node });
    log.add({ type: "appended", position, index, term });
    if (termBefore === term || history.beginnings.has(term)) return;
    const beginning = { index, node, picture: log.picture };
    history.beginnings.set(term, beginning);
    for (const point of history.committed.values()) {
      this.#complete(shard, term, beginning, point);
    }
  }

  /** @param how `reset`: what is up to `last` is in a snapshot now. */
  cut(
    node: string,
    shard: number,
    how: "truncated" | "reset",
    last: number,
    position: LogPosition,
  ): void {
    this.#log(node, shard).add({ type: how, last, position });
  }

  /**
   * An entry is committed, of its own log, as its node says, which is in the term `by` itself: nobody has
   * committed it in a later one.
   */
  committedUpTo(node: string, shard: number, index: number, by?: number): void {
    const term = this.#log(node, shard).termAt(index);
    if (term !== undefined) this.committed(node, shard, index, term, by);
  }

  committed(node: string, shard: number, index: number, term: number, by = term): void {
    if (index === 0) return;
    const history = this.#of(shard);
    const place = `${this.#options.groupOf(term)}/${index}`;
    const known = history.committed.get(place);
    if (known !== undefined && known.term !== term) {
      const message = `shard ${shard}: entry ${index} is committed of term ${known.term}, and, says ${node}, of term ${term}`;
      this.#violate("leader-completeness", message);
      return;
    }
    if (known !== undefined && known.by <= by) return;
    const point = { index, term, by };
    history.committed.set(place, point);
    for (const [later, beginning] of history.beginnings) {
      const isNew = known === undefined || later <= known.by;
      if (isNew) this.#complete(shard, later, beginning, point);
    }
  }

  /** What is in the node's log, read back. */
  found(node: string, shard: number, entry: { index: number; term: number; hash: number }): void {
    const { index, term, hash } = entry;
    const known = this.#of(shard).entries.get(term)?.get(index);
    if (known === undefined) {
      const message = `shard ${shard}: ${node} has an entry ${index} of term ${term} that nobody appended`;
      this.#violate("log-matching", message);
    } else this.#match(node, shard, entry, { hash, termBefore: undefined, node });
  }

  #match(
    node: string,
    shard: number,
    { index, term }: { readonly index: number; readonly term: number },
    entry: KnownEntry,
  ): void {
    const { entries } = this.#of(shard);
    let ofTerm = entries.get(term);
    if (ofTerm === undefined) {
      ofTerm = new Map();
      entries.set(term, ofTerm);
    }
    const known = ofTerm.get(index);
    if (known === undefined) {
      ofTerm.set(index, entry);
      return;
    }
    this.compared += 1;
    const what = `shard ${shard}: entry ${index} of term ${term}`;
    if (known.hash !== entry.hash) {
      this.#violate("log-matching", `${what} is another one at ${node} than at ${known.node}`);
    }
    if (entry.termBefore === undefined) return;
    if (known.termBefore === undefined) ofTerm.set(index, entry);
    else if (known.termBefore !== entry.termBefore) {
      const message = `${what} follows one of term ${entry.termBefore} at ${node}, and one of term ${known.termBefore} at ${known.node}`;
      this.#violate("log-matching", message);
    }
  }

  #complete(
    shard: number,
    term: number,
    { index, node, picture }: Beginning,
    point: CommittedEntry,
  ): void {
    const { groupOf } = this.#options;
    if (point.by >= term || groupOf(point.term) !== groupOf(term)) return;
    if (point.index < picture.first) return;
    if (point.index < index && termAt(picture, point.index) === point.term) return;
    const message = `shard ${shard}: the leader of term ${term}, by the log of ${node}, lacks entry ${point.index} of term ${point.term}, which is committed`;
    this.#violate("leader-completeness", message);
  }

  #of(shard: number): ShardHistory {
    const known = this.#shards.get(shard);
    if (known !== undefined) return known;
    const made = new ShardHistory();
    this.#shards.set(shard, made);
    return made;
  }

  #log(node: string, shard: number): ReplicaLog {
    const logs = this.#logsOf(node);
    const known = logs.get(shard);
    if (known !== undefined) return known;
    const made = new ReplicaLog();
    logs.set(shard, made);
    return made;
  }

  #logsOf(node: string): Map<number, ReplicaLog> {
    const place = `${node}/${this.#stores.get(node)}`;
    const known = this.#logs.get(place);
    if (known !== undefined) return known;
    const made = new Map<number, ReplicaLog>();
    this.#logs.set(place, made);
    return made;
  }

  #violate(check: string, message: string): void {
    const reported = (this.#reported.get(check) ?? 0) + 1;
    this.#reported.set(check, reported);
    if (reported <= MAX_REPORTED) this.violations.push({ check, message });
  }
}

/** A seed that once found something, and what stands for it since. */
export interface RegressionSeed {
  readonly seed: number;
  /** Of the run that found it; undefined: all that have scenarios. */
  readonly strategies: readonly string[] | undefined;
  readonly what: string;
  /** First line of the commit that mended it. */
  readonly commit: string;
  /** The test that brings the state about: draws shift, and the seed alone proves little later. */
  readonly test: { readonly file: string; readonly name: string };
  /** What the seed still reaches, by the name of a counter or of a fault, where it runs each time. */
  readonly runs?: string;
}

const RESTARTS = "test/unit/core/store/peers/restarts.test.ts";

export const REGRESSION_SEEDS: readonly RegressionSeed[] = [
  {
    seed: 25,
    strategies: ["tunable"],
    what: "A put with a time to live, tried again under the id of its fault, was taken for another value where its stamp was ahead of its node's clock.",
    commit:
      "A retry with a time to live is the same write whatever the clocks, and an id older than what its session has seen acknowledges nothing",
    test: {
      file: "test/simulation/leaderless-ttl.test.ts",
      name: "is the same write when it is tried again under the id of its fault, whatever the clocks",
    },
  },
  {
    seed: 43,
    strategies: ["raft"],
    what: "The check of logs took an entry for appended behind itself, where a power cut had left the state and not the newest records of a keyspace in memory.",
    commit: "The check of raft's logs goes by what a log ends with when its node starts",
    test: {
      file: "test/unit/simulation/scenario/raft/raft-safety.test.ts",
      name: "goes by what a log ends with, where positions say that more is left",
    },
  },
  {
    seed: 143,
    strategies: ["raft"],
    what: "A store that was closed while a shard read back a log of several pieces asked a closed log for the next one, and threw where nobody caught it.",
    commit:
      "A store that closes while its shards still read their logs back asks a closed log for nothing",
    test: {
      file: "test/unit/core/store/shard-opener.test.ts",
      name: "asks for no more of it once its store closes",
    },
  },
  {
    seed: 905,
    strategies: ["raft"],
    what: "Some of 70 shards were not led within the bound, as one election of all of them filled what a node may hold for its disk.",
    commit: "Seeds of raft with 64 to 256 shards, each of which is read in the end",
    test: {
      file: "test/unit/simulation/scenario/many-shards.test.ts",
      name: "has a disk and a network that so many shards can elect leaders with",
    },
  },
  {
    seed: 1_053,
    strategies: ["raft"],
    what: "A replica that lagged behind long entries over a slow link was sent them again and again, and did not come to serve.",
    commit:
      "A raft follower is given long entries over a slow link: what is only late is not asked for again",
    test: {
      file: "test/simulation/raft-slow-entries.test.ts",
      name: "a replica is given long entries over a slow link, and writes go on meanwhile",
    },
  },
  {
    seed: 40_646,
    strategies: undefined,
    what: "A read wrote a deletion back that was settled, behind the walk that takes them out.",
    commit: "A floor is no record: nobody writes it back or keeps it, and late tombstones go",
    test: {
      file: "test/unit/strategies/leaderless/settling/settling.test.ts",
      name: "is not stored again where a read writes it back: the floor holds it",
    },
  },
  {
    seed: 40_680,
    strategies: undefined,
    what: "The check took the earlier floor of another replica for less than the session had seen.",
    commit:
      "The floors of two replicas may differ: a session is not held to have been shown less for that",
    test: {
      file: "test/unit/simulation/scenario/dynamo/copies.test.ts",
      name: "shows no less where another replica has an earlier floor, or none yet",
    },
  },
  {
    seed: 40_730,
    strategies: undefined,
    what: "A paused peer took the life before an emptied disk for alive, by frames that were held.",
    commit: "A node is not stopped for what its own earlier life has left",
    test: {
      file: RESTARTS,
      name: "is not stopped while frames of its earlier life are still coming",
    },
  },
  {
    seed: 100_104,
    strategies: undefined,
    what: "A replica kept hints for a node that holds the shard no more, for ever.",
    commit:
      "Hints for a node that holds the shard no more are forgotten; a finished move is not refused",
    test: {
      file: "test/unit/strategies/leaderless/handoff/handoff.test.ts",
      name: "hints for a node that holds the shard no more are forgotten, and the others go on",
    },
  },
  {
    seed: 100_191,
    strategies: undefined,
    what: "A move ended at its deadline as not applied, though its switch waited for the log alone.",
    commit:
      "Hints for a node that holds the shard no more are forgotten; a finished move is not refused",
    test: {
      file: "test/unit/strategies/leaderless/place/place-flow.test.ts",
      name: "a change that is done is not refused when its deadline comes before its words may leave",
    },
  },
  {
    seed: 103_147,
    strategies: undefined,
    what: "What a session saw at a replica of no life yet, nothing, was taken for all that it had seen.",
    commit: "A raft session finds its own write at a replica that has applied nothing yet",
    test: {
      file: "test/unit/strategies/raft/read-results.test.ts",
      name: "is what it wrote, also at a replica that knows of no life yet, like one it has read before",
    },
  },
  {
    seed: 103_253,
    strategies: undefined,
    what: "A peer was held to what it had read in a hello of a session that was not with it.",
    commit: "A peer is not held to what it read in a hello that does not name it",
    test: {
      file: RESTARTS,
      name: "leaves nothing with a peer that its hellos did not name: a copy of it is met",
    },
  },
  {
    seed: 103_995,
    strategies: undefined,
    what: "A question of a finished change came late, and took back what was changed since.",
    commit: "A late question of a finished raft change undoes nothing that was changed since",
    test: {
      file: "test/unit/strategies/raft/member-changes.test.ts",
      name: "a question that comes after the end of its change does not undo what was changed since",
    },
  },
  {
    seed: 104_077,
    strategies: undefined,
    what: "One lost sector took a short synced batch and the mark behind it: its end was cut as torn.",
    commit: "The mark behind the newest batch stands in a sector of its own",
    test: {
      file: "test/unit/storage/disk/log/segmented-log.test.ts",
      name: "the sector of the newest of %i synced batches is damage when it is lost",
    },
  },
  {
    seed: 104_404,
    strategies: undefined,
    what: "An old copy that was held off wrote more than its peers knew that it lacked, and counted.",
    commit: "An older copy is judged by what it had when it was opened",
    test: {
      file: "test/unit/core/store/peers/refusals.test.ts",
      name: "that was held off, and has written more meanwhile than the store had",
    },
  },
  {
    seed: 200_384,
    strategies: undefined,
    what: "A watch went on at a replica opened at that very entry, and missed the rest of its batch.",
    commit: "A watch that has heard a part of a batch hears the rest, or of a gap",
    test: {
      file: "test/unit/core/store/watch/change-feed.test.ts",
      name: "tells of a gap in the entry that its replica was opened at, unless all of that was told",
    },
  },
  {
    seed: 200_786,
    strategies: undefined,
    what: "A row that came with a snapshot, between two times of leading, was not swept.",
    commit: "A raft leader sets its sweeper's timer anew, whatever an earlier leadership had set",
    test: {
      file: "test/unit/strategies/raft/upkeep.test.ts",
      name: "a leader removes rows of a snapshot that it took between two times of leading",
    },
    runs: "a watch was told of an expiry",
  },
  {
    seed: 400_307,
    strategies: undefined,
    what: "The check took a decrement that went with the one node that held it for held by others, by records of another key.",
    commit: "Who holds an operation of a CRDT is judged by records of its own key",
    test: {
      file: "test/unit/simulation/scenario/dynamo/crdt-workload.test.ts",
      name: "what went with its only holder may be gone, though others hold later events of its actor for another key",
    },
    runs: "a floor was adopted",
  },
  {
    seed: 400_472,
    strategies: undefined,
    what: "The check took two increments that went with the one node that held them for held by others, by records of another key.",
    commit: "Who holds an operation of a CRDT is judged by records of its own key",
    test: {
      file: "test/unit/simulation/scenario/dynamo/crdt-workload.test.ts",
      name: "what went with its only holder may be gone, though others hold later events of its actor for another key",
    },
  },
  {
    seed: 401_532,
    strategies: undefined,
    what: "The check took a map's field, whose updates went with the one node that held them, for held by others, by records of another key.",
    commit: "Who holds an operation of a CRDT is judged by records of its own key",
    test: {
      file: "test/unit/simulation/scenario/dynamo/crdt-workload.test.ts",
      name: "a map's field may be gone with the only holder of its updates, and has to be there while another holds them",
    },
  },
  {
    seed: 401_904,
    strategies: undefined,
    what: "A lost sector took all of a young log, and the node took its own records for empty, not for lost.",
    commit:
      "A node does not take its own records for empty where its log has lost it knows not whose",
    test: {
      file: "test/unit/core/store/unknown-damage.test.ts",
      name: "has lost the node's own records, for all that it says of them",
    },
  },
  {
    seed: 402_326,
    strategies: undefined,
    what: "The fingerprint of a former replica still had a record that it had handed over by a hint.",
    commit: "What a former replica hands over by a hint goes out of its fingerprint",
    test: {
      file: "test/unit/strategies/leaderless/anti-entropy/rows-that-go.test.ts",
      name: "a record that a former replica hands over %s is out of its fingerprint",
    },
  },
  {
    seed: 403_188,
    strategies: undefined,
    what: "A leader that an older copy had helped to elect threw at each answer of the follower that had what the copy lacked, until its node stopped itself.",
    commit: "A replica whose leader lacks what is committed there takes the leader's picture",
    test: {
      file: "test/unit/strategies/raft/diverged.test.ts",
      name: "a heartbeat of a leader whose log ends before what is committed here shows it, and its picture is taken",
    },
  },
  {
    seed: 404_064,
    strategies: ["tunable"],
    what: "A move back was answered as done where the move away was accepted already: it was decided later.",
    commit: "A move back is not done while the move away may still be decided",
    test: {
      file: "test/unit/strategies/leaderless/place/place-change.test.ts",
      name: "is taken back where it was only proposed: whoever sees it to its end could decide it yet",
    },
  },
  {
    seed: 404_842,
    strategies: undefined,
    what: "A replica that had been given the log anew, and knew no voters yet, was asked who they are: no majority of nobody has an entry.",
    commit: "Who is asked for the voters of a seed knows some",
    test: {
      file: "test/unit/simulation/scenario/raft/durable-quorum.test.ts",
      name: "a replica that was given the log and knows no voters yet does not say who they are",
    },
  },
  {
    seed: 500_393,
    strategies: undefined,
    what: "A replica that had lost its store was still on its way back, by a change to the same nodes, when the check asked whether a moved shard is where it was said to be.",
    commit: "A moved shard whose replica has lost its store is given the time to take the new one",
    test: {
      file: "test/unit/simulation/scenario/shard-mover.test.ts",
      name: "a shard that was moved may take a new store for a lost one, as long as that ends",
    },
  },
  {
    seed: 500_878,
    strategies: undefined,
    what: "A node failed while the logs were read at the end of the run: its log was closed, and the run threw.",
    commit: "The log of a node that has failed is not read at the end of a seed",
    test: {
      file: "test/unit/simulation/scenario/raft/safety-watch.test.ts",
      name: "the log of a node which has failed, and closes it, is not read; those of the others are",
    },
  },
  {
    seed: 504_738,
    strategies: undefined,
    what: "An emptied node counted nowhere for as long as a peer that heard nobody any more went on saying that its earlier process lives.",
    commit: "A node is held off no longer than its peer takes the earlier process for alive",
    test: {
      file: "test/unit/core/store/peers/refusals.test.ts",
      name: "hold a node off no longer than that peer takes the earlier process for alive",
    },
  },
  {
    seed: 720_017,
    strategies: ["tunable"],
    what: "A value that was shown as expired was shown once more, from a copy behind a slower clock.",
    commit:
      "A tunable node that has shown a value as expired does not show it again from a copy that is behind",
    test: {
      file: "test/unit/strategies/leaderless/expiry-view.test.ts",
      name: "what a replica whose clock is ahead has shown as expired is not shown again from another copy",
    },
  },
  {
    seed: 730_018,
    strategies: ["dynamo"],
    what: "A version that had expired at one replica came back with a newer record of another.",
    commit: "A version that has expired at a dynamo replica does not come back with a newer record",
    test: {
      file: "test/unit/strategies/dynamo/dotted-rules.test.ts",
      name: "do not come back from a copy that knows more, and has not come to it yet",
    },
  },
  {
    seed: 900_527,
    strategies: undefined,
    what: "A write upon a write's version replaced nothing, as its node had not heard of what stood beside that; its own version covered what it had left there, and the next one took it away unread.",
    commit: "A write that could replace nothing has seen nothing of what it left",
    test: {
      file: "test/simulation/dynamo-versions.test.ts",
      name: "where the next node has not heard of what stood beside it, more stays, and never less",
    },
  },
  {
    seed: 1_103_384,
    strategies: undefined,
    what: "A raft node whose earlier store had come back was elected while the change that was to replace that store stood in the log, and waited for ever for the store that was gone.",
    commit:
      "A raft leader takes back the change that was to replace its own store, which came back",
    test: {
      file: "test/unit/strategies/raft/transcripts.test.ts",
      name: "a leader takes back the change that was to replace its own store, which came back",
    },
  },
  {
    seed: 1_104_186,
    strategies: undefined,
    what: "A replica whose damage had hit the records of its shard's move found in what was left that it alone votes, and led beside those that the shard was moved to.",
    commit:
      "Damaged voters go on alone only once every other node has nothing later of their shard",
    test: {
      file: "test/simulation/raft-damaged-voters.test.ts",
      name: "does not go on beside them where it does not hear them",
    },
  },
  {
    seed: 1_104_535,
    strategies: undefined,
    what: "The check held a node to what it had committed between being found on an older copy and setting that copy aside: nobody had been told that it is done, and a floor passed it.",
    commit:
      "What was committed to a store after it was found to be an older copy is not held any more once that store is set aside",
    test: {
      file: "test/unit/simulation/scenario/dynamo/crdt-workload.test.ts",
      name: "what was committed to a store after it was found to be an older copy goes with it, and no sooner",
    },
  },
  {
    seed: 1_104_600,
    strategies: undefined,
    what: "Shards of which 90 elected at once had no leader for ever: votes took longer than a candidate waits, and came when it asked about the next term.",
    commit: "A candidate wins its term also by votes that come while it asks about the next one",
    test: {
      file: "test/unit/strategies/raft/election.test.ts",
      name: "wins its term by votes that come while it asks about the next one",
    },
  },
  {
    seed: 1_502_136,
    strategies: undefined,
    what: "A power cut after a floor had reached the disk, and before the tombstones that went for it had, brought them back at one replica, where none of the others had them, and no floor came any more to take them out.",
    commit: "A replica that starts takes out again what may go by the floor that it has",
    test: {
      file: "test/unit/strategies/leaderless/settling/settling.test.ts",
      name: "goes where a power cut brings it back",
    },
  },
  {
    seed: 1_600_239,
    strategies: undefined,
    what: "Long writes that were late over a slow link were asked for again at each election timeout, and appended each time: replicas had no end of the same entries to get. And the check asked leaders for what only later ones have committed.",
    commit: "A raft write that is only late is asked for again more and more seldom",
    test: {
      file: "test/simulation/raft-slow-entries.test.ts",
      name: "writes that are late are appended once, $what",
    },
  },
  {
    seed: 1_800_142,
    strategies: undefined,
    what: "The check took the last term that a node had told for the one in which what it had applied was committed, and asked leaders before that for it.",
    commit: "What is applied does not say in which term it was committed",
    test: {
      file: "test/unit/simulation/scenario/raft/raft-safety.test.ts",
      name: "asks nothing of leaders as long as nobody can say in which term it was committed",
    },
  },
  {
    seed: 1_900_056,
    strategies: undefined,
    what: "A change of who holds a shard that was given up came late, after the shard was said to be back where it was, for which nothing had been written: the change began from the configuration that it named, which was in force still.",
    commit:
      "A shard that is said to be held by the nodes asked for is not moved by what was given up before",
    test: {
      file: "test/unit/strategies/raft/member-changes.test.ts",
      name: "who asks for what is in force since it first heard has it written anew, once",
    },
  },
  {
    seed: 1_900_163,
    strategies: undefined,
    what: "Over a slow link no leader's term was long enough to commit anything, and each added what it was asked for: the replicas had minutes of entries to get once the faults had ended.",
    commit: "A raft leader that finds much which is not committed takes nothing new before it is",
    test: {
      file: "test/unit/strategies/raft/backlog.test.ts",
      name: "a leader that finds much that is not committed commits before it takes more",
    },
  },
  {
    seed: 1_901_475,
    strategies: undefined,
    what: "A replica whose disk was behind was not given its leader's heartbeats either: it stood for election over and over, each term had more written, and a snapshot began anew with each leader.",
    commit: "A replica whose disk is far behind still hears its leader, and votes",
    test: {
      file: "test/simulation/slow-and-failing-disks.test.ts",
      name: "a raft replica whose disk is far behind hears that it is led",
    },
  },
];

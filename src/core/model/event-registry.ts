/**
 * Every event of a store of the built-in strategies, with what it means; docs/events.md says the
 * fields. Machines of other strategies may emit further ones.
 */
export const STORE_EVENTS = Object.freeze({
  "cluster-joined": "The node knows its cluster's id.",
  ready: "Every keyspace can serve at its own levels.",
  "still-joining": "The node has not joined yet; said again every 30 s.",
  degraded: "A keyspace asks for more replicas than there are nodes.",
  side: "How many nodes this one reaches: with the majority, with a minority, or alone.",
  "configuration-mismatch": "A peer was given another configuration; its frames are not taken.",
  "keyspaces-differ":
    "A peer that is met has other keyspaces than this node; those that both have are equal, and go on.",
  "keyspace-begun":
    "A keyspace that is new to this node's store begins: with nothing, or with all to be learned.",
  "cluster-mismatch": "A peer's data belongs to another cluster; its frames are not taken.",
  "identity-conflict": "Two live processes have one node id.",
  "old-copy": "A node runs on an older copy of its data, which is set aside.",
  "clock-skew": "A peer's wall clock is further away than `clock.maxSkew`.",
  "storage-damaged": "Something of the data directory was found broken as it was opened.",
  "shard-damaged":
    "Records of a shard were found broken: it does not serve until it has learned anew.",
  "shards-incomplete":
    "After a crash these shards may lack their newest records (`durability` below `fsync`); they learn anew.",
  "resolver-failed": "The keyspace's resolver threw on what is stored; said once in 10 s.",
  "machine-failed": "A step threw; the machine was made anew.",
  "rebuild-started": "A leaderless replica learns from its peers what it may lack.",
  "rebuild-finished": "It has, and serves.",
  "writes-may-be-lost":
    "Too few whole copies of a shard were left to learn from, or none as its keyspace began, or a loss was accepted.",
  "replicas-equal": "Two replicas of a shard had differed, and are equal now.",
  "hints-delivered": "A peer has acknowledged all that was kept for it.",
  "hints-refused":
    "A peer does not take some of what is kept for it: with what it holds of these keys it is too large. It is offered again until a write has settled them.",
  "reaping-blocked": "Tombstones of a shard stay, because these nodes cannot confirm them.",
  "reaping-resumed": "They can go again.",
  "beyond-horizon":
    "The others have let go of deletions that this replica may have missed; it learns anew.",
  "shard-placed": "A leaderless shard has another map: who holds it, or is going to.",
  "move-started": "A node is being given a shard.",
  "move-progress": "How much of it has come.",
  "move-streamed": "All of it has.",
  "move-taken-on": "This node finishes a move whose caller is gone.",
  "shard-left": "A node that holds a shard no more has handed over and dropped what it had.",
  "raft-standing": "A raft replica has another role, term or leader.",
  "raft-waits":
    "A raft replica could only be elected by damaged ones, and waits for these nodes to say that they have nothing later.",
  "raft-configuration": "A raft shard's configuration is committed.",
  "raft-snapshot-started":
    "A leader sends a follower the state, which the log does not reach any more.",
  "raft-snapshot-installed": "A follower has taken that up.",
  "raft-transfer-failed": "Nobody took a leadership over in time; the leader goes on.",
  "raft-recovered": "A raft shard goes on with what this node has, as another group.",
  "raft-diverged":
    "A replica's leader lacks what is committed here; its picture takes the place of it.",
  "raft-superseded": "A replica belongs to a group that another one has taken the place of.",
  replicated: "Which copies the writes of the last second have reached, in sum.",
  conflict: "Versions of a key met that knew nothing of each other, and what became of them.",
  gap: "The reader of `events()` was too slow: so many events before this one were dropped.",
  failed: "The node has stopped itself.",
  closed: "The store is closed; nothing follows.",
});

export type StoreEventType = keyof typeof STORE_EVENTS;

import { expect, test } from "vitest";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { bornConfiguration } from "../../../../src/strategies/raft/configuration.ts";
import type { SnapshotChunk } from "../../../../src/strategies/raft/peer-messages.ts";
import { entry, LoneConsensus } from "./lone-consensus.ts";

const NODES = ["n1", "n2", "n3"] as unknown as readonly NodeId[];

/** The first of two. */
function chunkOf(term: number): SnapshotChunk {
  const configuration = bornConfiguration(NODES);
  const point = { index: 9, term: 1, configurationIndex: 0, configuration };
  const place = { snapshot: 1, number: 0, last: false, point, chunk: new Uint8Array() };
  return { type: "snapshot-chunk", term, ...place };
}

function heartbeat(term: number) {
  return { type: "heartbeat", term, round: 1, commitIndex: 0, lastIndex: 9 } as const;
}

// It stayed beside the state, as large as that, until the next picture or the end of the process.
test("a part of a picture is given up when its leader has been replaced", () => {
  const lone = new LoneConsensus();
  lone.hear("n2", chunkOf(2));
  lone.hear("n2", heartbeat(2));
  expect(lone.emitted).not.toContain("install-aborted");
  lone.hear("n3", heartbeat(3));
  expect(lone.emitted).toContain("install-aborted");
});

test("and not because the next leader's picture takes its place in the same step", () => {
  const lone = new LoneConsensus();
  lone.hear("n2", chunkOf(2));
  lone.hear("n3", chunkOf(3));
  const done = { ...chunkOf(3), number: 1, last: true };
  const [answer] = lone.hear("n3", done);
  expect(answer?.message).toMatchObject({ installed: true, index: 9 });
});

// It began the old one again, which nobody sends any more, and gave up all that had come of the new one.
test("a late chunk of a picture that its leader has given up changes nothing for the next one", () => {
  const lone = new LoneConsensus();
  lone.hear("n2", { ...chunkOf(2), snapshot: 2 });
  const [late] = lone.hear("n2", chunkOf(2));
  expect(late?.message).toMatchObject({ snapshot: 1, next: 0, installed: false });
  expect(lone.emitted).not.toContain("install-aborted");
  const [answer] = lone.hear("n2", { ...chunkOf(2), snapshot: 2, number: 1, last: true });
  expect(answer?.message).toMatchObject({ snapshot: 2, installed: true });
});

/** It has one entry more than the picture that comes to it, and has vouched for that one. */
function pictureOverNewer(lone: LoneConsensus): unknown {
  const records = Array.from({ length: 10 }, (_, i) => entry(`e${i + 1}`, 1));
  lone.append("n2", { term: 1, records });
  lone.sync();
  const [answer] = lone.hear("n2", { ...chunkOf(1), last: true });
  return answer?.message;
}

test("a picture of less than it has takes the place of nothing", () => {
  const lone = new LoneConsensus();
  expect(pictureOverNewer(lone)).toMatchObject({ installed: true, index: 9 });
  expect(lone.log).toHaveLength(10);
});

test("snapshotInstalledOverNewer is found", () => {
  const lone = new LoneConsensus(3, undefined, { planted: { snapshotInstalledOverNewer: true } });
  expect(pictureOverNewer(lone)).toMatchObject({ installed: true, index: 9 });
  expect(lone.log).toHaveLength(9);
});

import { describe, expect, test } from "vitest";
import { AnswerWait } from "../../../../src/core/model/answer-wait.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { ConsensusCore } from "../../../../src/strategies/raft/consensus-core.ts";
import type {
  AppliedPoint,
  StatePicture,
} from "../../../../src/strategies/raft/consensus-types.ts";
import type { SnapshotChunk } from "../../../../src/strategies/raft/peer-messages.ts";
import { SnapshotSender } from "../../../../src/strategies/raft/snapshot-sender.ts";

const CHUNK_BYTES = 100;
const BYTES_PER_SECOND = 2_000;
const HEARTBEAT_MS = 50;
const WINDOW_BYTES = 4 * CHUNK_BYTES;
const POINT = { index: 9, term: 2 } as AppliedPoint;

interface Sent {
  readonly number: number;
  readonly last: boolean;
  readonly lane: string;
}

/** A picture of so many chunks, and the one that sends it to n2. */
class Scene {
  readonly sent: Sent[] = [];
  readonly sender: SnapshotSender;
  nowMs = 0;
  isReadable = true;

  constructor(chunks: number) {
    const scene = this;
    const core = {
      get nowMs() {
        return scene.nowMs;
      },
      term: 3,
      options: {
        limits: { snapshotBytesPerSecond: BYTES_PER_SECOND, snapshotChunkBytes: CHUNK_BYTES },
        timing: { heartbeatMs: HEARTBEAT_MS },
      },
      sendAtOnce: (to: string, { number, last, point }: SnapshotChunk, lane: string) => {
        expect([to, point]).toEqual(["n2", POINT]);
        this.sent.push({ number, last, lane });
      },
    } as unknown as ConsensusCore;
    const picture = {
      point: POINT,
      read: (from: Uint8Array | undefined) => {
        if (!this.isReadable) throw new Error("the view was closed");
        const number = from?.[0] ?? 0;
        const next = number + 1 < chunks ? Uint8Array.of(number + 1) : undefined;
        return { chunk: new Uint8Array(CHUNK_BYTES), next };
      },
      close: () => undefined,
    } as unknown as StatePicture;
    this.sender = new SnapshotSender(
      core,
      "n2" as NodeId,
      7,
      POINT,
      picture,
      new AnswerWait(5 * HEARTBEAT_MS),
    );
  }

  wants(next: number): void {
    this.sender.onReply({
      ...{ type: "snapshot-reply", term: 3, snapshot: 7, next, installed: false, index: 0 },
      ...{ original: true },
    });
  }

  numbers(): readonly number[] {
    return this.sent.splice(0).map(({ number }) => number);
  }
}

describe("a picture of the state", () => {
  test("is sent in the bulk lane, and no faster than the limit, however fast the follower is", () => {
    const scene = new Scene(200);
    const seconds = 5;
    for (; scene.nowMs <= seconds * 1_000; scene.nowMs += HEARTBEAT_MS) {
      scene.sender.tick();
      const newest = scene.sent.at(-1)?.number;
      if (newest !== undefined) scene.wants(newest + 1);
    }
    const bytes = scene.sent.length * CHUNK_BYTES;
    expect(bytes).toBeLessThanOrEqual(seconds * BYTES_PER_SECOND + WINDOW_BYTES);
    expect(bytes).toBeGreaterThan(0.9 * seconds * BYTES_PER_SECOND);
    expect(new Set(scene.sent.map(({ lane }) => lane))).toEqual(new Set(["bulk"]));
    expect(scene.sent.map(({ number }) => number)).toEqual(scene.sent.map((_, at) => at));
  });

  test("has one chunk on its way at first, and one more with each that arrives, up to four", () => {
    const scene = new Scene(200);
    const tick = (): readonly number[] => {
      scene.nowMs += 4 * HEARTBEAT_MS;
      scene.sender.tick();
      return scene.numbers();
    };
    expect(tick()).toEqual([0]);
    scene.wants(1);
    expect(tick()).toEqual([1, 2]);
    scene.wants(3);
    expect(tick()).toEqual([3, 4, 5, 6]);
    scene.wants(4);
    expect(tick()).toEqual([7]);
  });

  test("goes on from where the follower is, one by one, when nothing has been heard for long", () => {
    const scene = new Scene(200);
    scene.nowMs = 200;
    scene.sender.tick();
    scene.nowMs += HEARTBEAT_MS;
    scene.wants(1);
    scene.sender.tick();
    expect(scene.numbers()).toEqual([0, 1, 2]);
    scene.nowMs += 5 * HEARTBEAT_MS - 1;
    scene.sender.tick();
    expect(scene.numbers()).toEqual([]);
    scene.nowMs += 1;
    scene.sender.tick();
    expect(scene.numbers()).toEqual([1]);
    // What had been sent before has arrived: the follower is further on.
    scene.wants(3);
    scene.sender.tick();
    expect(scene.numbers()).toEqual([3, 4, 5]);
  });

  // What was sent again came first through a slow link, and filled it, until nothing new came any more.
  test("is not sent again while its answers take as long as before, or a chunk takes long to arrive", () => {
    const scene = new Scene(200);
    const answerAfterMs = 1_900;
    for (let next = 1; next < 5; next++) {
      const dueMs = scene.nowMs + answerAfterMs;
      for (; scene.nowMs < dueMs; scene.nowMs += HEARTBEAT_MS) scene.sender.tick();
      scene.wants(next);
    }
    expect(scene.numbers()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    // Nothing comes any more: each wait is half as long again as the one before.
    const sentAtMs: number[] = [];
    for (const begunMs = scene.nowMs; scene.nowMs < begunMs + 60_000; scene.nowMs += HEARTBEAT_MS) {
      scene.sender.tick();
      for (const number of scene.numbers().filter((each) => each < 7)) {
        expect(number).toBe(4);
        sentAtMs.push(scene.nowMs - begunMs);
      }
    }
    expect(sentAtMs.length).toBeGreaterThanOrEqual(3);
    expect(sentAtMs.length).toBeLessThanOrEqual(4);
  });

  test("begins anew for a follower whose process is another one", () => {
    const scene = new Scene(200);
    scene.nowMs = 200;
    scene.sender.tick();
    scene.wants(1);
    scene.sender.tick();
    expect(scene.numbers()).toEqual([0, 1, 2]);
    scene.sender.restart();
    scene.sender.tick();
    expect(scene.numbers()).toEqual([0]);
  });

  test("ends with a chunk that says so, and is done when the follower has it", () => {
    const scene = new Scene(2);
    scene.nowMs = 1_000;
    scene.sender.tick();
    scene.wants(1);
    scene.sender.tick();
    expect(scene.sent.map(({ last }) => last)).toEqual([false, true]);
    scene.nowMs += HEARTBEAT_MS;
    scene.sender.tick();
    expect(scene.sent).toHaveLength(2);
    const reply = { type: "snapshot-reply", term: 3, next: 2, index: 9, original: true } as const;
    expect(scene.sender.onReply({ ...reply, snapshot: 6, installed: true })).toBe(false);
    expect(scene.sender.onReply({ ...reply, snapshot: 7, installed: true })).toBe(true);
  });

  test("that cannot be read any more is given up", () => {
    const scene = new Scene(200);
    scene.isReadable = false;
    expect(scene.sender.pump()).toBe(false);
  });
});

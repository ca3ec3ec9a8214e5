import { describe, expect, test } from "vitest";
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
    this.sender = new SnapshotSender(core, "n2" as NodeId, 7, POINT, picture);
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

  test("has four chunks on their way at most, though time enough goes by for more", () => {
    const scene = new Scene(200);
    for (; scene.nowMs < 4 * HEARTBEAT_MS; scene.nowMs += HEARTBEAT_MS) scene.sender.tick();
    expect(scene.numbers()).toEqual([0, 1, 2, 3]);
  });

  test("goes on from where the follower is, when nothing has been heard for long", () => {
    const scene = new Scene(200);
    for (; scene.nowMs < 4 * HEARTBEAT_MS; scene.nowMs += HEARTBEAT_MS) scene.sender.tick();
    scene.wants(2);
    scene.sender.pump();
    expect(scene.numbers()).toEqual([0, 1, 2, 3, 4]);
    scene.nowMs += 5 * HEARTBEAT_MS;
    scene.sender.tick();
    expect(scene.numbers().slice(0, 2)).toEqual([2, 3]);
  });

  test("ends with a chunk that says so, and is done when the follower has it", () => {
    const scene = new Scene(2);
    scene.nowMs = 1_000;
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

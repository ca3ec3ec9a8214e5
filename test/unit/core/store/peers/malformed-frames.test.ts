import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeId, type TestNode, World } from "./world.ts";

/** A node that has met b, and true frames of b: a hello and two of messages. */
async function victim() {
  const world = new World("a", "b");
  const [a, b] = await world.startAll();
  world.advance(1);
  b!.say("a", "one");
  b!.say("a", "two");
  b!.network.flush();
  b!.say("a", "three");
  b!.network.flush();
  world.time.settle();
  const frames = b!.transport.sent.map(({ frame }) => frame);
  const messages = b!.transport.sent.filter(({ lane }) => lane === "log").map((one) => one.frame);
  const receive = (frame: Uint8Array, from = "b") => {
    a!.transport.handlers?.onFrame(nodeId(from), frame, "log");
  };
  return { world, a: a!, b: b!, frames, messages, receive };
}

function rejects(node: TestNode, deliver: () => void): void {
  const delivered = node.messages.length;
  const turnEnds = node.turnEnds;
  const dropped = node.framesDropped;
  deliver();
  expect(node.messages.length).toBe(delivered);
  expect(node.turnEnds).toBe(turnEnds);
  expect(node.framesDropped).toBe(dropped + 1);
}

function changed(frame: Uint8Array, at: number, byte: number): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[at] = byte;
  return copy;
}

describe("malformed frames", () => {
  it("are dropped and counted, whatever is wrong with them", async () => {
    const { a, messages, frames, receive } = await victim();
    const frame = messages[0]!;
    const hello = frames[0]!;
    const wrong: [string, Uint8Array][] = [
      ["no byte", new Uint8Array(0)],
      ["another version", changed(frame, 0, 99)],
      ["an unknown kind", changed(frame, 1, 9)],
      ["another cluster", changed(frame, 2, (frame[2] ?? 0) ^ 1)],
      ["another sender's session", changed(frame, 6, (frame[6] ?? 0) ^ 1)],
      ["another receiver's session", changed(frame, 10, (frame[10] ?? 0) ^ 1)],
      ["an unknown role", changed(frame, 18, 7)],
      ["a length beyond the end", changed(frame, 18 + 7, 0xff)],
      ["a length that splits wrongly", changed(frame, 18 + 10, 1)],
      ["a header alone", frame.subarray(0, 18)],
      ["a frame that came before", frame],
      ["a cut header", frame.subarray(0, 9)],
      ["a cut message", frame.subarray(0, frame.length - 1)],
      ["a cut hello", hello.subarray(0, hello.length - 3)],
      ["a hello and more", Uint8Array.from([...hello, 0])],
      ["a hello's header alone", hello.subarray(0, 18)],
    ];
    for (const [what, bytes] of wrong) {
      expect(() => rejects(a, () => receive(bytes)), what).not.toThrow();
    }
    rejects(a, () => receive(frame, "stranger"));
    expect(a.fatal).toEqual([]);
  });

  it("never deliver a part: the first messages of a frame whose last is broken", async () => {
    const { a, messages, receive } = await victim();
    // The same messages in a frame that has not come before: its sequence is another.
    const both = changed(messages[0]!, 17, 200);
    rejects(a, () => receive(both.subarray(0, both.length - 2)));
    receive(both);
    expect(a.texts()).toEqual(["one", "two", "three", "one", "two"]);
  });

  it("of random bytes do nothing", async () => {
    const { a, receive } = await victim();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        rejects(a, () => receive(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it("made of true frames by change, cut or growth do not throw and leave the session whole", async () => {
    const { world, a, b, frames, receive } = await victim();
    const mutation = fc.record({
      frame: fc.nat(frames.length - 1),
      edits: fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
      cut: fc.nat(20),
      tail: fc.uint8Array({ maxLength: 4 }),
    });
    fc.assert(
      fc.property(mutation, ({ frame, edits, cut, tail }) => {
        const source = frames[frame]!;
        const bytes = Uint8Array.from([...source.subarray(0, source.length - cut), ...tail]);
        for (const [at, byte] of edits) if (at >= 18 && at < bytes.length) bytes[at] = byte;
        const before = a.messages.length;
        receive(bytes);
        expect(a.messages.length - before).toBeLessThanOrEqual(2);
      }),
      { numRuns: 1_000 },
    );
    expect(a.fatal).toEqual([]);
    a.messages.length = 0;
    world.advance(2_000);
    b.say("a", "after all that");
    world.time.settle();
    expect(a.texts()).toEqual(["after all that"]);
    expect(a.network.identityOf(nodeId("b"))).toEqual(b.self);
  });
});

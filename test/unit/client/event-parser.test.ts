import { expect, test } from "vitest";
import { EventParser } from "../../../src/client/event-parser.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

test("takes events out of bytes that are cut anywhere, also within a character", () => {
  const whole = bytesOf(
    "retry: 5\n\n: hello\n\nid: ü1\nevent: put\ndata: é\n\nevent: fault\ndata:x\n\n",
  );
  for (let cut = 0; cut <= whole.length; cut++) {
    const parser = new EventParser();
    const events = [...parser.push(whole.subarray(0, cut)), ...parser.push(whole.subarray(cut))];
    expect(events).toEqual([
      { id: "ü1", event: "put", data: "é" },
      { id: undefined, event: "fault", data: "x" },
    ]);
  }
});

test("understands carriage returns and data of several lines, and keeps half an event", () => {
  const parser = new EventParser();
  expect(parser.push(bytesOf("data: a\r\ndata: b\r\n\r\ndata: c\n"))).toEqual([
    { id: undefined, event: "", data: "a\nb" },
  ]);
  expect(parser.push(bytesOf("\n"))).toEqual([{ id: undefined, event: "", data: "c" }]);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeToken,
  encodeToken,
  frameSubject,
  inboxSubject,
  natsPermissions,
  senderTokenAt,
} from "../../../../src/transports/nats/subjects.ts";

describe("a token", () => {
  test.each([
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
    ["😀", "6cpzraa"],
  ])("of %j is %s, as RFC 4648 §10 has it", (name, token) => {
    expect(encodeToken(name)).toBe(token);
    expect(decodeToken(token)).toBe(name);
  });

  test("has letters and digits alone, whatever the name is, and leads back to it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
        const token = encodeToken(name);
        expect(token).toMatch(/^[a-z2-7]+$/);
        expect(decodeToken(token)).toBe(name);
      }),
    );
  });

  test.each(["*", ">", "MY", "m y", "m1", "a", "mz", "mzxw6y", "mzxw6-log", "77777777", "m\r\ny"])(
    "%j is none: nothing is written so",
    (token) => {
      expect(decodeToken(token)).toBeUndefined();
    },
  );
});

describe("a subject", () => {
  test("has four tokens and no wildcard, whatever cluster and nodes are called", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1 }), { minLength: 3, maxLength: 3 }),
        (names) => {
          const [cluster, to, from] = names as [string, string, string];
          for (const lane of ["control", "log", "bulk"] as const) {
            const subject = frameSubject(cluster, to, from, lane);
            expect(subject).toMatch(/^capstan(\.[a-z2-7]+(-log|-bulk)?){2}\.[a-z2-7]+$/);
            expect(subject.slice(senderTokenAt(cluster, to, lane))).toBe(encodeToken(from));
          }
        },
      ),
    );
  });

  test("of each lane goes to an inbox of its own", () => {
    const inboxes = (["control", "log", "bulk"] as const).map((lane) =>
      inboxSubject("foo", "foobar", lane),
    );
    expect(inboxes).toEqual([
      "capstan.mzxw6.mzxw6ytboi.*",
      "capstan.mzxw6.mzxw6ytboi-log.*",
      "capstan.mzxw6.mzxw6ytboi-bulk.*",
    ]);
    expect(natsPermissions("foo", "foobar")).toEqual({
      publish: ["capstan.mzxw6.*.mzxw6ytboi"],
      subscribe: inboxes,
    });
  });
});

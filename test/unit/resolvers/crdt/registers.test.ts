import { describe, expect, test } from "vitest";
import { MAX_HYBRID_TIME } from "../../../../src/core/model/stamp.ts";
import { flag } from "../../../../src/resolvers/crdt/flag.ts";
import { type LwwRegisterState, lwwRegister } from "../../../../src/resolvers/crdt/lww-register.ts";
import { mvRegister } from "../../../../src/resolvers/crdt/mv-register.ts";

const dot = (actor: string, counter: number, time = 0) => ({ actor, counter, time });

describe("lww-register", () => {
  const register = lwwRegister<string>();
  const set = (state: LwwRegisterState<string>, value: string, actor: string, time: number) =>
    register.mutate(state, { set: value }, dot(actor, 1, time));

  test("is null until it is set", () => {
    expect(register.value(register.initial())).toBeNull();
  });

  test("of concurrent values keeps the later one, then that of the greater actor", () => {
    const [early, late] = [set([], "early", "b", 5), set([], "late", "a", 6)];
    expect(register.value(register.join(early, late))).toBe("late");
    expect(register.value(register.join(late, early))).toBe("late");
    const [a, b] = [set([], "a", "a", 5), set([], "b", "b", 5)];
    expect(register.join(a, b)).toBe(b);
    expect(register.join(b, a)).toBe(b);
  });

  test("takes a new value also where the clock is behind that of the old one", () => {
    const ahead = set([], "ahead", "z", 1_000);
    const behind = set(ahead, "behind", "a", 5);
    expect(register.value(register.join(ahead, behind))).toBe("behind");
    expect(behind[0]).toBe(1_001);
  });

  test("never has a time beyond what a hybrid time can be", () => {
    const last = set([], "last", "a", MAX_HYBRID_TIME);
    expect(set(last, "after", "b", 5)[0]).toBe(MAX_HYBRID_TIME);
  });
});

describe("mv-register", () => {
  const register = mvRegister<string>();

  test("reads as all that was set concurrently, each value once, until one takes their place", () => {
    const states = ["x", "y", "x"].map((value, at) =>
      register.mutate(register.initial(), { set: value }, dot(`node ${at}`, 1)),
    );
    const joined = states.reduce(register.join);
    expect(register.value(register.initial())).toEqual([]);
    expect(register.value(joined)).toEqual(["x", "y"]);
    const settled = register.mutate(joined, { set: "z" }, dot("node 1", 2));
    expect(register.value(register.join(settled, states[0] ?? joined))).toEqual(["z"]);
  });
});

describe("flag", () => {
  const states = flag();
  const enabled = states.mutate(states.initial(), { enable: true }, dot("a", 1));

  test("to enable wins over a concurrent disabling", () => {
    const disabled = states.mutate(enabled, { disable: true }, dot("b", 1));
    const again = states.mutate(enabled, { enable: true }, dot("a", 2));
    expect(states.value(disabled)).toBe(false);
    expect(states.value(states.join(disabled, enabled))).toBe(false);
    expect(states.value(states.join(disabled, again))).toBe(true);
  });

  test("enabled twice has one dot", () => {
    const again = states.mutate(enabled, { enable: true }, dot("b", 4));
    expect(again.dots).toEqual([["b", 4]]);
  });

  test.each([{ enable: false }, { disable: 1 }])("%j is refused", (operation) => {
    expect(() => states.checkOperation(operation)).toThrow(
      /is no operation of flag; allowed: \{ enable: true \}, \{ disable: true \}$/,
    );
  });
});

import type { LogStore, StateStore, Storage } from "../../src/core/contracts/storage.ts";
import type { Defect } from "./storage-harnesses.ts";

/** `target`, with some members replaced. Works over classes with private fields. */
export function withMembers<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_target, name) {
      if (name in members) return Reflect.get(members, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A storage whose log is good but for what `members` replaces. */
export function brokenLog(members: (log: LogStore) => Partial<LogStore>): Defect {
  return (storage: Storage) =>
    withMembers(storage, { log: withMembers(storage.log, members(storage.log)) });
}

/** The same for its state. */
export function brokenState(members: (state: StateStore) => Partial<StateStore>): Defect {
  return (storage: Storage) =>
    withMembers(storage, { state: withMembers(storage.state, members(storage.state)) });
}

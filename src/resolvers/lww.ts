import type { ResolverVersion, SettlingResolver } from "../core/contracts/resolver.ts";
import { encodeValue } from "../core/model/values.ts";
import { defineResolver } from "./define-resolver.ts";

/**
 * The last writer wins: of concurrent versions the one with the greatest hybrid time stays, then
 * the greatest actor, then the greatest bytes. The others are lost, though their writers were told
 * that they were written: a clock that runs ahead wins over every other.
 */
export function lww<Value = unknown>(): SettlingResolver<Value> {
  const resolver = defineResolver<Value>({
    name: "lww",
    joinsAt: "replica",
    resolve: (versions) => {
      const { value } = versions.reduce((best, each) => (isNewer(each, best) ? each : best));
      return { type: "value", value };
    },
  });
  const capabilities = Object.freeze({ ...resolver.capabilities, keepsNewest: true });
  return Object.freeze({ ...resolver, capabilities });
}

function isNewer(a: ResolverVersion, b: ResolverVersion): boolean {
  const order = compareVersions(a, b);
  return order === 0 ? Buffer.compare(encodeValue(a.value), encodeValue(b.value)) > 0 : order > 0;
}

/** By time, then actor; 0 for what one write left. */
export function compareVersions(a: ResolverVersion, b: ResolverVersion): number {
  if (a.wallMs !== b.wallMs) return a.wallMs - b.wallMs;
  if (a.counter !== b.counter) return a.counter - b.counter;
  return a.actor === b.actor ? 0 : a.actor < b.actor ? -1 : 1;
}

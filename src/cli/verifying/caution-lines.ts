import type { Caution } from "../../simulation/verify/cautions.ts";

/** What is to be said of several keyspaces in the same words is said once, with their names. */
export function cautionLines(cautions: readonly Caution[]): readonly string[] {
  const namesOf = new Map<string, string[]>();
  for (const { keyspace, sentence } of cautions) {
    const names = namesOf.get(sentence);
    if (names === undefined) namesOf.set(sentence, [keyspace]);
    else names.push(keyspace);
  }
  return [...namesOf].map(([sentence, names]) => `${names.join(", ")}: ${sentence}`);
}

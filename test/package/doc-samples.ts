/** A block of TypeScript in a page, whatever else its fence says. */
export interface DocSample {
  readonly page: string;
  /** Line of the first line of code, from 1. */
  readonly line: number;
  readonly code: string;
}

const FENCE = /^```ts\b[^\n]*\n([\s\S]*?)^```$/gm;
/** `keyspaces: { … }` on its own: a part of a configuration. */
const FRAGMENT = /^[a-z]\w*: /;

/** What pages speak of without making it each time; a sample may make one of its own. */
export const SURROUNDINGS = `
import { openStore, valuesOf } from "capstan";

const open = () =>
  openStore({
    keyspaces: {
      accounts: { strategy: "raft", schema: valuesOf<object>() },
      carts: { strategy: "dynamo", resolver: "or-set" },
      notes: { strategy: "dynamo", schema: valuesOf<string>() },
    },
  });
type Opened = Awaited<ReturnType<typeof open>>;

export declare const store: Opened;
export declare const otherNode: Opened;
export declare const account: object;
const { accounts, carts, notes } = {
  accounts: store.keyspace("accounts"),
  carts: store.keyspace("carts"),
  notes: store.keyspace("notes"),
};
export { accounts, carts, notes, openStore };
`;

const SURROUNDING_NAMES: readonly string[] = Object.freeze([
  ...["store", "otherNode", "account", "accounts", "carts", "notes", "openStore"],
]);

export function docSamples(page: string, markdown: string): DocSample[] {
  return [...markdown.matchAll(FENCE)].map((match) => ({
    page,
    line: markdown.slice(0, match.index).split("\n").length + 1,
    code: match[1] as string,
  }));
}

/** The sample as a module that can be compiled, beside a module with the surroundings. */
export function programOf(code: string, surroundings: string): string {
  if (FRAGMENT.test(code)) {
    return `import { defineConfig } from "capstan";\nexport default defineConfig({\n${code}});\n`;
  }
  const names = SURROUNDING_NAMES.filter(
    (name) =>
      new RegExp(`(?<![."'\\w])${name}(?![\\w"':])`).test(code) &&
      !new RegExp(`(const|let) ${name}\\b|import \\{[^}]*\\b${name}\\b`).test(code),
  );
  const imports =
    names.length === 0 ? "" : `import { ${names.join(", ")} } from "${surroundings}";\n`;
  return `${imports}${code}\nexport {};\n`;
}

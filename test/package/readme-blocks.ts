/** A code block of a Markdown page whose fence says `js runnable` or `ts runnable`. */
export interface RunnableBlock {
  readonly language: "js" | "ts";
  readonly code: string;
  /** Line of the first line of code, from 1. */
  readonly line: number;
  /** What the block says that it prints, in order: the text after each `// → `. */
  readonly prints: readonly string[];
}

const FENCE = /^```(js|ts) runnable\n([\s\S]*?)^```$/gm;
const PRINTS = /\/\/ → (.*)$/gm;

export function runnableBlocks(markdown: string): RunnableBlock[] {
  return [...markdown.matchAll(FENCE)].map((match) => {
    const code = match[2] as string;
    return {
      language: match[1] as "js" | "ts",
      code,
      line: markdown.slice(0, match.index).split("\n").length + 1,
      prints: [...code.matchAll(PRINTS)].map((comment) => (comment[1] as string).trimEnd()),
    };
  });
}

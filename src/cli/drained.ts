import type { Output } from "./surroundings.ts";

/** A reader that is slower than the output holds it back, instead of filling the memory. */
export function drained(output: Output): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      output.off("drain", end);
      output.off("close", end);
      resolve();
    };
    output.on("drain", end);
    output.on("close", end);
  });
}

import { styleText } from "node:util";
import type { Output, Surroundings } from "./surroundings.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan" | "magenta" | "blue";

/** Colours text where the output can show them: a terminal, and no `NO_COLOR` (no-color.org). */
export type Paint = (style: Style, text: string) => string;

export function paintFor(output: Output, env: Surroundings["env"]): Paint {
  return hasColors(output, env)
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}

export function hasColors(output: Output, env: Surroundings["env"]): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  return output.isTTY === true && env.TERM !== "dumb";
}

import { InvalidArgumentError } from "commander";
import { LEVELS, type Level, parseLevel } from "../core/model/levels.ts";

/** Parsers of option values. Commander puts the option's name before what they object. */
export function levelOption(word: string): Level {
  const level = parseLevel(word);
  if (level !== undefined) return level;
  throw new InvalidArgumentError(`It is one of ${LEVELS.join(", ")}.`);
}

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `250`, `250ms`, `5s`, `2m`: in milliseconds. */
export function durationOption(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const durationMs = match ? Number(match[1]) * MS_PER_UNIT[match[2] ?? "ms"]! : 0;
  if (durationMs >= 1 && durationMs <= 24 * 3_600_000) return Math.round(durationMs);
  throw new InvalidArgumentError("It is a time from 1ms to 24h, such as 250ms, 5s or 2m.");
}

/** A whole number within bounds. */
export function countOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (count >= min && count <= max) return count;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

/** An origin; the scheme may be left out, since it is HTTP anyway. */
export function urlOption(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const isOrigin = url?.pathname === "/" && url.search === "" && url.hash === "";
  if (url && isOrigin && ["http:", "https:"].includes(url.protocol) && url.username === "") {
    return url.origin;
  }
  throw new InvalidArgumentError("It is a node's HTTP address, such as http://127.0.0.1:8401.");
}

import { InvalidArgumentError } from "commander";
import { type Bounds, parseDurationMs } from "../core/model/durations.ts";
import { LEVELS, type Level, parseLevel } from "../core/model/levels.ts";

/** Parsers of option values. Commander puts the option's name before what they object. */
export function levelOption(word: string): Level {
  const level = parseLevel(word);
  if (level !== undefined) return level;
  throw new InvalidArgumentError(`It is one of ${LEVELS.join(", ")}, or a number of replicas.`);
}

const TIMEOUT_BOUNDS: Bounds = Object.freeze({ min: 1, max: 3_600_000 });

/** `250`, `250ms`, `5s`, `2m`: in milliseconds. A bare number is one of milliseconds. */
export function durationOption(text: string): number {
  try {
    return parseDurationMs(/^\d+$/.test(text) ? Number(text) : text, "time", TIMEOUT_BOUNDS);
  } catch {
    throw new InvalidArgumentError("It is a time from 1ms to 1h, such as 250ms, 5s or 2m.");
  }
}

const LIFE_BOUNDS: Bounds = Object.freeze({ min: 1, max: 10 * 365 * 86_400_000 });

/** As `durationOption`, for how long a key lives: days, too. */
export function lifeOption(text: string): number {
  try {
    return parseDurationMs(/^\d+$/.test(text) ? Number(text) : text, "time", LIFE_BOUNDS);
  } catch {
    throw new InvalidArgumentError("It is a time from 1ms to 3650d, such as 500ms, 30s or 7d.");
  }
}

/** A whole number within bounds. */
export function countOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (count >= min && count <= max) return count;
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
  };
}

const MAX_SHARD = 65_535;

/** `3`, `0-15` or `0-3,7`: numbers of shards, each once, in rising order. */
export function shardsOption(text: string): readonly number[] {
  const shards = new Set<number>();
  for (const part of text.split(",")) {
    const [, from, to = from] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (!(first <= last && last <= MAX_SHARD)) {
      throw new InvalidArgumentError(
        `It is a shard from 0 to ${MAX_SHARD}, or several, such as 0-15 or 0-3,7.`,
      );
    }
    for (let shard = first; shard <= last; shard++) shards.add(shard);
  }
  return [...shards].sort((a, b) => a - b);
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

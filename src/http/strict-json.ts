import { CapstanError } from "../core/model/errors.ts";
import { MAX_VALUE_DEPTH } from "../core/model/value-format.ts";
import { formatPath } from "../core/model/value-path.ts";

/** A body is an object around a value: one level more than the value, and some for the body's own. */
const MAX_JSON_DEPTH = MAX_VALUE_DEPTH + 4;

/** `ignoreBOM` keeps a byte order mark, which the grammar of JSON then refuses. */
const UTF8_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NUMBER = /-?\d+(\.\d+)?([eE][+-]?\d+)?/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * JSON that means exactly one thing. `JSON.parse` takes the last of two equal names, rounds
 * integers beyond 2^53 and turns `1e400` into Infinity: each of these would store something that
 * the sender did not write, so each is refused, with the path of the place.
 *
 * @throws CapstanError `INVALID_ARGUMENT`, also for what is no JSON or no UTF-8, and beyond 104
 * levels.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refusal(`the body is not JSON: ${(cause as Error).message}`);
  }
  new Scanner(text).scan();
  return value;
}

interface Frame {
  /** Names seen so far; undefined in an array. */
  readonly names: Set<string> | undefined;
  /** Where in it the scanner stands. */
  at: string | number;
}

/** Walks over the tokens of text that is known to be JSON. */
class Scanner {
  readonly #text: string;
  readonly #number = new RegExp(NUMBER, "y");
  readonly #frames: Frame[] = [];
  #index = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    while (this.#index < this.#text.length) {
      const character = this.#text[this.#index] as string;
      if (character === '"') this.#scanString();
      else if (character === "-" || (character >= "0" && character <= "9")) this.#scanNumber();
      else {
        this.#scanStructure(character);
        this.#index++;
      }
    }
  }

  #scanStructure(character: string): void {
    if (character === "{") this.#enter({ names: new Set(), at: "" });
    else if (character === "[") this.#enter({ names: undefined, at: 0 });
    else if (character === "}" || character === "]") this.#frames.pop();
    else if (character === ",") {
      const frame = this.#frames.at(-1);
      if (typeof frame?.at === "number") frame.at++;
    }
  }

  #enter(frame: Frame): void {
    if (this.#frames.length >= MAX_JSON_DEPTH) {
      throw refusal(`the body is nested deeper than ${MAX_JSON_DEPTH} levels`);
    }
    this.#frames.push(frame);
  }

  #scanString(): void {
    const token = this.#takeString();
    const content = token.includes("\\") ? (JSON.parse(token) as string) : token.slice(1, -1);
    if (content.length + 2 !== token.length && LONE_SURROGATE.test(content)) {
      throw refusal(`the text at ${this.#path()} holds half a surrogate pair`);
    }
    if (!this.#isName()) return;
    const frame = this.#frames.at(-1) as Frame;
    frame.at = content;
    if (frame.names?.has(content)) {
      throw refusal(`the name ${this.#path()} stands twice in the body`);
    }
    frame.names?.add(content);
  }

  /** Only a name is followed by a colon. */
  #isName(): boolean {
    let next = this.#index;
    while (/\s/.test(this.#text[next] ?? "")) next++;
    return this.#text[next] === ":";
  }

  #scanNumber(): void {
    this.#number.lastIndex = this.#index;
    const token = this.#number.exec(this.#text)?.[0] as string;
    this.#index += token.length;
    const value = Number(token);
    if (!Number.isFinite(value)) {
      throw refusal(`the number ${shorten(token)} at ${this.#path()} is too large`);
    }
    if (/^-?\d+$/.test(token) && !Number.isSafeInteger(value)) {
      throw refusal(
        `the integer ${shorten(token)} at ${this.#path()} is beyond 2^53 - 1 and would be rounded; ` +
          "send it as text, or as a bigint in the canonical encoding",
      );
    }
  }

  /** By hand: a pattern would keep a step of backtracking for every escape of a long text. */
  #takeString(): string {
    const start = this.#index;
    let end = start + 1;
    while (this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    this.#index = end + 1;
    return this.#text.slice(start, this.#index);
  }

  #path(): string {
    return formatPath(this.#frames.map((frame) => frame.at));
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8_DECODER.decode(bytes);
  } catch {
    throw refusal("the body is not well-formed UTF-8");
  }
}

function shorten(token: string): string {
  return token.length > 40 ? `${token.slice(0, 40)}…` : token;
}

function refusal(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}

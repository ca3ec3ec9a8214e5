import { CapstanError } from "../core/model/errors.ts";
import { MalformedBytesError } from "../core/model/malformed-bytes-error.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";

/**
 * The fields of a JSON object from outside, each asked for by name and form. What is wrong is a
 * `CapstanError` `INVALID_ARGUMENT` that names the field, what is there and what is allowed.
 */
export class LineFields {
  readonly #fields: Readonly<Record<string, unknown>>;
  /** In front of the names in messages: `output.` */
  readonly #path: string;
  readonly #known = new Set<string>();

  private constructor(fields: Readonly<Record<string, unknown>>, path: string) {
    this.#fields = fields;
    this.#path = path;
  }

  static parse(text: string): LineFields {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw invalid(`it is not JSON: ${(error as Error).message}`);
    }
    if (isPlainObject(parsed)) return new LineFields(parsed, "");
    throw invalid(`it is ${shown(parsed)}; an object {"name": ...} is wanted`);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === "string" ? value : this.#refuseField(name, "text");
  }

  /** To be spread: an object without the field if there is none. */
  optionalText<Name extends string>(name: Name): { readonly [N in Name]?: string } {
    if (this.#get(name) === undefined) return {};
    return { [name]: this.text(name) } as { [N in Name]: string };
  }

  number(name: string): number {
    const value = this.#get(name);
    return isNumber(value) ? value : this.#refuseField(name, "a number");
  }

  numberOrNull(name: string): number | null {
    const value = this.#get(name);
    if (value === null || isNumber(value)) return value;
    return this.#refuseField(name, "a number or null");
  }

  optionalNumber(name: string): number | undefined {
    return this.#get(name) === undefined ? undefined : this.number(name);
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.#get(name);
    const word = words.find((each) => each === value);
    return word ?? this.#refuseField(name, words.map((each) => `"${each}"`).join(" or "));
  }

  list(name: string): readonly LineFields[] {
    const value = this.#get(name);
    if (!Array.isArray(value)) return this.#refuseField(name, "an array of objects");
    return value.map((each: unknown, index) =>
      isPlainObject(each)
        ? new LineFields(each, `${this.#path}${name}[${index}].`)
        : this.#refuseField(name, "an array of objects"),
    );
  }

  optionalObject(name: string): LineFields | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (isPlainObject(value)) return new LineFields(value, `${this.#path}${name}.`);
    return this.#refuseField(name, "an object");
  }

  /** A value in the canonical encoding, or as JSON under the name with `_json`. */
  optionalValue(name: string): unknown {
    const encoded = this.#get(name);
    const plain = this.#get(`${name}_json`);
    if (encoded !== undefined && plain !== undefined) {
      return this.refuse(`"${this.#path}${name}" and "${this.#path}${name}_json" are both there`);
    }
    // Once through the encoding, so that what it refuses is refused here.
    if (plain !== undefined) return decodeValue(encodeValue(plain));
    return encoded === undefined ? undefined : this.#decoded(name, encoded);
  }

  optionalValues(name: string): readonly unknown[] | undefined {
    const values = this.#get(name);
    if (values === undefined) return undefined;
    if (!Array.isArray(values)) return this.#refuseField(name, "an array of values in base64");
    return values.map((each: unknown) => this.#decoded(name, each));
  }

  /** Every field must have been asked for. */
  end(): void {
    const stray = Object.keys(this.#fields).find((name) => !this.#known.has(name));
    if (stray === undefined) return;
    const known = [...this.#known].join(", ");
    this.refuse(`there is a field "${this.#path}${stray}"; known here are ${known}`);
  }

  refuse(problem: string): never {
    throw invalid(problem);
  }

  #get(name: string): unknown {
    this.#known.add(name);
    return this.has(name) ? this.#fields[name] : undefined;
  }

  #decoded(name: string, encoded: unknown): unknown {
    const wanted = "the canonical encoding of a value in base64";
    if (typeof encoded !== "string") return this.#refuseField(name, wanted);
    const bytes = Buffer.from(encoded, "base64");
    if (bytes.toString("base64") !== encoded) return this.#refuseField(name, wanted);
    try {
      return decodeValue(bytes);
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error;
      return this.#refuseField(name, `${wanted} (${error.message})`);
    }
  }

  #refuseField(name: string, wanted: string): never {
    if (!this.has(name)) this.refuse(`"${this.#path}${name}" is missing; ${wanted} is wanted`);
    const found = shown(this.#fields[name]);
    return this.refuse(`"${this.#path}${name}" is ${found}; ${wanted} is wanted`);
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON text such as 1e999 is read as infinity. */
function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

function invalid(problem: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", problem);
}

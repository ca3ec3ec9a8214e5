import { CapstanError, isCapstanError } from "./errors.ts";
import { isPlainObject } from "./plain-object.ts";

/** One thing that is wrong with a configuration. */
export interface ConfigurationProblem {
  /** `keyspaces.carts.replicas`. */
  readonly path: string;
  readonly value: unknown;
  /** Names to choose from, or one phrase such as `a whole number from 1 to 7`. */
  readonly allowed: readonly (string | number)[];
  /** What is wrong, if the value alone does not show it. */
  readonly reason?: string;
}

const MAX_SHOWN_CHARACTERS = 60;

/** Collects what is wrong, so that a user sees all of it at once. */
export class ConfigurationProblems {
  readonly #problems: ConfigurationProblem[] = [];

  add(problem: ConfigurationProblem): void {
    this.#problems.push(problem);
  }

  /** What `parse` returns; if it throws an `INVALID_CONFIGURATION`, its problems and `otherwise`. */
  take<T>(parse: () => T, otherwise: T): T {
    try {
      return parse();
    } catch (error) {
      const problems = isCapstanError(error) ? error.details?.problems : undefined;
      if (!Array.isArray(problems)) throw error;
      this.#problems.push(...problems);
      return otherwise;
    }
  }

  throwIfAny(): void {
    if (this.#problems.length > 0) throw invalidConfiguration(this.#problems);
  }
}

/** The fault that names path, value and what is allowed of every problem. */
export function invalidConfiguration(problems: readonly ConfigurationProblem[]): CapstanError {
  const lines = problems.map(describeProblem);
  const message =
    lines.length === 1
      ? (lines[0] as string)
      : `the configuration has ${lines.length} problems:\n- ${lines.join("\n- ")}`;
  return new CapstanError("INVALID_CONFIGURATION", message, {
    ...(problems.length === 1 ? { allowed: (problems[0] as ConfigurationProblem).allowed } : {}),
    details: { problems },
  });
}

/**
 * For an option of a keyspace's strategy.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` naming path, value and what is allowed.
 */
export function refuseSetting(
  path: string,
  value: unknown,
  problem: string,
  allowed: readonly (string | number)[],
): never {
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `${path}: ${JSON.stringify(value)} is ${problem}; allowed: ${allowed.join(", ")}`,
    { allowed, details: { problems: [{ path, value, allowed }] } },
  );
}

export function joinPath(...segments: readonly (string | number)[]): string {
  return segments.filter((segment) => segment !== "").join(".");
}

function describeProblem({ path, value, allowed, reason }: ConfigurationProblem): string {
  const what = reason ?? `is ${describeValue(value)}`;
  const where = path === "" ? "the configuration" : path;
  return `${where} ${what}; allowed: ${allowed.join(", ") || "none yet"}`;
}

/** Short, whatever it is: no value may make the message itself fail. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string": {
      const text = JSON.stringify(value);
      return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
    }
    case "bigint":
      return `${value}n`;
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `a list of ${value.length}`;
      if (!isPlainObject(value)) return "an instance of a class";
      return Object.keys(value).length === 0 ? "an empty object" : "an object";
    default:
      return String(value);
  }
}

import type {
  CrdtResolver,
  Resolution,
  Resolver,
  ResolverCapabilities,
  ResolverVersion,
  SettlingResolver,
} from "../core/contracts/resolver.ts";
import { describeValue } from "../core/model/configuration-problems.ts";
import { CapstanError } from "../core/model/errors.ts";
import { isPlainObject } from "../core/model/plain-object.ts";
import { type CrdtDefinition, defineCrdt } from "./crdt/define-crdt.ts";

/** A resolver of plain values. */
export interface ValueResolverDefinition<Value> {
  /** 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen. */
  readonly name: string;
  /** Where versions meet. Default `"read"`: replicas keep all of them until a write settles. */
  readonly joinsAt?: ResolverCapabilities["joinsAt"];
  /** Whether `resolve` may answer siblings. Default false. */
  readonly siblings?: boolean;
  resolve(versions: readonly ResolverVersion<Value>[]): Resolution<Value>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NAME_ALLOWED =
  "1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen, the first a letter or digit";
const CRDT_FUNCTIONS = ["initial", "mutate", "join", "value", "checkOperation"] as const;
const OPTIONAL_FUNCTIONS = ["delta", "follows", "retireActors"] as const;
const VALUE_MEMBERS: readonly string[] = Object.freeze(["name", "joinsAt", "siblings", "resolve"]);
const CRDT_MEMBERS: readonly string[] = Object.freeze([
  ...["name", ...CRDT_FUNCTIONS],
  ...OPTIONAL_FUNCTIONS,
]);

/**
 * A resolver of your own, from its functions alone: with `join` a CRDT (see `CrdtResolver` for what
 * each function owes), with `resolve` one of plain values. Give it to a keyspace as an object, bind
 * it by name (`capstanModule({ resolvers })`), or name its module in the configuration file
 * (`resolver: { module: "./my-resolver.js" }`). `checkResolverLaws` tries whether it keeps the laws.
 *
 * @throws CapstanError `INVALID_ARGUMENT` that names the member that is wrong or missing.
 */
export function defineResolver<Value>(
  definition: ValueResolverDefinition<Value> & { readonly siblings?: false },
): SettlingResolver<Value>;
export function defineResolver<Value>(definition: ValueResolverDefinition<Value>): Resolver<Value>;
// Last: the compiler tells of the last overload that does not fit, and this one has the most to it.
export function defineResolver<State, Op, Value>(
  definition: CrdtDefinition<State, Op, Value>,
): CrdtResolver<State, Op, Value>;
export function defineResolver(
  definition: CrdtDefinition<unknown, unknown, unknown> | ValueResolverDefinition<unknown>,
): Resolver {
  if (!isPlainObject(definition)) {
    throw invalid(`a resolver is defined by an object, not by ${describeValue(definition)}`);
  }
  const { name } = definition;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw invalid(`a resolver's name is ${describeValue(name)}; allowed: ${NAME_ALLOWED}`);
  }
  if ("join" in definition) {
    checkMembers(definition, CRDT_MEMBERS);
    for (const member of CRDT_FUNCTIONS) needFunction(definition, member);
    for (const member of OPTIONAL_FUNCTIONS) {
      if (Reflect.get(definition, member) !== undefined) needFunction(definition, member);
    }
    return defineCrdt(definition) as Resolver;
  }
  checkMembers(definition, VALUE_MEMBERS);
  needFunction(definition, "resolve");
  return defineOfValues(definition as ValueResolverDefinition<unknown>);
}

function defineOfValues(definition: ValueResolverDefinition<unknown>): Resolver {
  const { name, joinsAt = "read", siblings = false } = definition;
  if (joinsAt !== "read" && joinsAt !== "replica") {
    throw invalid(`joinsAt of ${name} is ${describeValue(joinsAt)}; allowed: "read", "replica"`);
  }
  if (typeof siblings !== "boolean") {
    throw invalid(`siblings of ${name} is ${describeValue(siblings)}; allowed: true, false`);
  }
  const resolver: Resolver = {
    name,
    capabilities: Object.freeze({ joinsAt, siblings, operations: false }),
    resolve: (versions) => definition.resolve(versions),
  };
  return Object.freeze(resolver);
}

function checkMembers(definition: object, members: readonly string[]): void {
  const unknown = Object.keys(definition).find((member) => !members.includes(member));
  if (unknown === undefined) return;
  throw invalid(`a resolver has no ${JSON.stringify(unknown)}; allowed: ${members.join(", ")}`);
}

function needFunction(definition: object, member: string): void {
  const found: unknown = Reflect.get(definition, member);
  if (typeof found === "function") return;
  throw invalid(`a resolver's ${member} is ${describeValue(found)}; allowed: a function`);
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}

import { builtIns } from "./built-ins.ts";
import type { Environment } from "./core/contracts/environment.ts";
import { type Observer, SILENT_OBSERVER } from "./core/contracts/observer.ts";
import { resolveConfiguration } from "./core/model/configuration.ts";
import { CapstanError } from "./core/model/errors.ts";
import { isPlainObject } from "./core/model/plain-object.ts";
import type { Store } from "./core/store/api.ts";
import { assembleStore } from "./core/store/assemble-store.ts";
import { separatePlugIns } from "./core/store/handed-over.ts";
import { createContainer, type StoreModule } from "./core/store/modules.ts";
import { toFault } from "./core/store/pending-call.ts";
import type { FrameFilter } from "./core/store/seams.ts";
import { SystemEnvironment } from "./core/store/system-environment.ts";
import type {
  DefaultKeyspaces,
  KeyspacesConfiguration,
  StoreConfiguration,
  TypedStore,
} from "./core/store/typed-store.ts";

/** `openStore`'s second argument: what concerns this process alone. */
export interface OpenStoreOptions {
  /** Which of the configuration's nodes this process is. May be left out where there is one. */
  readonly node?: string;
  /** Bind further plug-ins by name, or others in place of the built-in ones: see `capstanModule`. */
  readonly modules?: readonly StoreModule[];
  /** Time, timers and chance. Default: the real ones. */
  readonly environment?: Environment;
  /** Where logs, metrics and traces go. Default: nowhere. */
  readonly observer?: Observer;
  /** Decides about every frame between this node and its peers: for tests. */
  readonly frameFilter?: FrameFilter;
  /** Ends the opening; what was opened by then is closed. An open store does not listen to it. */
  readonly signal?: AbortSignal;
}

const OPTION_NAMES: readonly string[] = Object.freeze([
  "node",
  "modules",
  "environment",
  "observer",
  "frameFilter",
  "signal",
]);

/**
 * Opens one node. Settles when it listens and serves; whether the cluster is complete enough for a
 * level, `store.ready()` says. Without arguments: one node, in memory, with one keyspace `default`.
 *
 * @throws CapstanError with nothing left open: `INVALID_CONFIGURATION`, `PORT_IN_USE`,
 * `IDENTITY_CONFLICT`, `ABORTED`, or what a plug-in makes of its trouble.
 */
export async function openStore<const K extends KeyspacesConfiguration = DefaultKeyspaces>(
  configuration?: StoreConfiguration<K>,
  options: OpenStoreOptions = {},
): Promise<TypedStore<K>> {
  try {
    checkOptions(options);
    const { plain, handedOver } = separatePlugIns(configuration);
    const resolved = resolveConfiguration(plain);
    const environment = options.environment ?? new SystemEnvironment();
    const observer = options.observer ?? SILENT_OBSERVER;
    const modules = [builtIns(), ...(options.modules ?? [])];
    const store: Store = await assembleStore({
      configuration: resolved,
      node: options.node,
      container: await createContainer({ environment, observer, modules }),
      handedOver,
      environment,
      observer,
      frameFilter: options.frameFilter,
      signal: options.signal,
    });
    // The types say which calls the strategies take; the store checks the same at run time.
    return store as TypedStore<K>;
  } catch (error) {
    throw toFault(error);
  }
}

function checkOptions(options: OpenStoreOptions): void {
  if (!isPlainObject(options)) throw invalid("options have to be an object", "options");
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `there is no option ${JSON.stringify(unknown)} here; there are: ${OPTION_NAMES.join(", ")}`,
      { allowed: OPTION_NAMES, details: { option: unknown } },
    );
  }
  const { modules = [], observer = SILENT_OBSERVER, environment, frameFilter } = options;
  if (!Array.isArray(modules) || !modules.every((each) => has(each, ["load"]))) {
    throw invalid("modules have to be a list of what capstanModule returns", "modules");
  }
  if (!has(observer, OBSERVER_MEMBERS)) {
    throw invalid(`observer has to have ${OBSERVER_MEMBERS.join(", ")}`, "observer");
  }
  if (environment !== undefined && !has(environment, ["monotonicMs", "wallMs", "setTimer"])) {
    throw invalid("environment has to be an Environment", "environment");
  }
  if (frameFilter !== undefined && !has(frameFilter, [])) {
    throw invalid("frameFilter has to be an object with outgoing, incoming or both", "frameFilter");
  }
}

const OBSERVER_MEMBERS: readonly string[] = Object.freeze(Object.keys(SILENT_OBSERVER));

/** The compiler checks the rest; this is for JavaScript, where a wrong object fails much later. */
function has(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return methods.every((name) => typeof Reflect.get(value, name) === "function");
}

function invalid(message: string, option: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message, { details: { option } });
}

/**
 * The rooms of the house and what each may import: the arrows of the architecture, as data.
 *
 * The most specific room wins (`src/strategies/dynamo/` before `src/strategies/`). A room may
 * always import itself; everything else is listed, whether file, npm package or Node module.
 */
export interface Room {
  /** A folder (ends with a slash) or one file. */
  readonly name: string;
  /** Folders and files of this repository. */
  readonly imports: readonly string[];
  /** Of these only types may be imported. */
  readonly importsTypesOf?: readonly string[];
  readonly packages: readonly string[];
  /** Node modules: `pure` stands for those that do no I/O. */
  readonly node: "pure" | "any";
  /**
   * Every folder directly below is a plug-in of its own, which the others do not import. Files that
   * lie directly in the room are shared by all of its plug-ins.
   */
  readonly holdsPlugIns?: boolean;
}

const model = "src/core/model/";
const contracts = "src/core/contracts/";
const store = "src/core/store/";
const foundation = [contracts, model];
const tls = "src/tls/";
const leaderless = "src/strategies/leaderless/";

export const ROOMS: readonly Room[] = Object.freeze<Room[]>([
  { name: model, imports: [], packages: ["zod"], node: "pure" },
  { name: contracts, imports: [model], packages: ["zod"], node: "pure" },
  {
    name: store,
    imports: foundation,
    packages: ["inversify", "rxjs", "sorted-btree", "zod"],
    node: "pure",
  },
  {
    name: "src/core/store/system-environment.ts",
    imports: [...foundation, store],
    packages: [],
    node: "any",
  },

  {
    name: "src/strategies/",
    imports: foundation,
    packages: ["sorted-btree", "zod"],
    node: "pure",
    holdsPlugIns: true,
  },
  {
    name: "src/strategies/dynamo/",
    imports: [...foundation, leaderless],
    packages: ["sorted-btree", "zod"],
    node: "pure",
  },
  {
    name: "src/strategies/tunable/",
    imports: [...foundation, leaderless],
    packages: ["sorted-btree", "zod"],
    node: "pure",
  },
  { name: "src/resolvers/", imports: foundation, packages: ["sorted-btree", "zod"], node: "pure" },
  // What the transport, the HTTP API and its client have in common of TLS.
  { name: tls, imports: foundation, packages: [], node: "any" },
  {
    name: "src/transports/",
    imports: [...foundation, tls],
    packages: ["zod"],
    node: "any",
    holdsPlugIns: true,
  },
  {
    name: "src/storage/",
    imports: foundation,
    packages: ["sorted-btree", "zod"],
    node: "any",
    holdsPlugIns: true,
  },

  {
    name: "src/transports/nats/",
    imports: foundation,
    packages: ["@nats-io/transport-node", "zod"],
    node: "any",
  },
  {
    name: "src/storage/disk/",
    imports: foundation,
    packages: ["lmdb", "sorted-btree", "zod"],
    node: "any",
  },

  {
    name: "src/built-ins.ts",
    imports: ["src/core/", "src/strategies/", "src/resolvers/", "src/transports/", "src/storage/"],
    packages: ["inversify", "zod"],
    node: "pure",
  },
  {
    name: "src/open-store.ts",
    imports: ["src/core/", "src/built-ins.ts"],
    packages: [],
    node: "pure",
  },
  {
    name: "src/index.ts",
    imports: ["src/core/", "src/built-ins.ts", "src/open-store.ts"],
    packages: [],
    node: "pure",
  },
  { name: "src/contracts.ts", imports: foundation, packages: [], node: "pure" },
  {
    name: "src/client/",
    imports: [model],
    importsTypesOf: [contracts, store],
    packages: ["zod"],
    node: "pure",
  },
  {
    name: "src/client/tls-fetch.ts",
    imports: [...foundation, tls, "src/client/", "src/core/store/system-environment.ts"],
    packages: [],
    node: "any",
  },
  {
    name: "src/http/",
    imports: ["src/core/", tls],
    packages: ["@fastify/swagger", "fastify", "fastify-type-provider-zod", "zod"],
    node: "any",
  },
  {
    name: "src/cli/",
    imports: ["src/"],
    packages: ["cli-progress", "cli-table3", "commander", "jiti", "pino", "zod"],
    node: "any",
  },
  {
    name: "src/cli/nats-server/",
    imports: ["src/cli/", "src/core/"],
    // Only where Capstan itself is worked on: it is not there for users.
    packages: ["testcontainers"],
    node: "any",
  },
  {
    name: "src/verification/",
    imports: [model],
    importsTypesOf: ["src/core/store/api.ts"],
    packages: [],
    node: "pure",
  },
  {
    name: "src/simulation/",
    imports: ["src/core/", "src/verification/", "src/built-ins.ts", "src/storage/"],
    packages: ["sorted-btree", "zod"],
    node: "pure",
  },
  { name: "src/conformance/", imports: foundation, packages: [], node: "pure" },

  {
    name: "benchmarks/",
    imports: ["src/"],
    packages: ["@nats-io/transport-node", "capstan", "cli-table3", "lmdb", "rxjs", "zod"],
    node: "any",
  },
  { name: "examples/", imports: [], packages: ["capstan", "rxjs", "vitest", "zod"], node: "any" },
]);

/** Node modules that compute and do nothing else. Their clocks and chance are banned by name. */
export const PURE_NODE_MODULES: readonly string[] = Object.freeze([
  "node:buffer",
  "node:crypto",
  "node:path",
  "node:url",
  "node:util",
  "node:zlib",
]);

/** The most specific room that holds the file. */
export function roomOf(path: string): Room | undefined {
  return ROOMS.filter((room) => isWithin(path, room.name)).sort(
    (a, b) => b.name.length - a.name.length,
  )[0];
}

export function isWithin(path: string, folderOrFile: string): boolean {
  return folderOrFile.endsWith("/") ? path.startsWith(folderOrFile) : path === folderOrFile;
}

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repositoryRoot } from "../architecture/project.ts";

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const MODULE_RESOLUTIONS = {
  nodenext: ["--module", "nodenext"],
  bundler: ["--module", "esnext", "--moduleResolution", "bundler"],
} as const;

const STRICT = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
const RUN_TIMEOUT_MS = 60_000;

/**
 * A project of somebody else, in a folder of its own, that has installed the packed package: it
 * sees what a user sees, and nothing of this repository.
 */
export class Consumer {
  readonly tarball: string;
  readonly #folder: string;

  constructor(manifest: PackageManifest) {
    this.#folder = mkdtempSync(join(tmpdir(), "capstan-package-"));
    this.write("package.json", JSON.stringify({ type: "module", private: true }));
    const packed = expectSuccess(
      run(repositoryRoot, "npm", ["pack", "--json", "--pack-destination", this.#folder]),
    );
    this.tarball = this.path(JSON.parse(packed.stdout)[0].filename);
    const nodeTypes = `@types/node@${manifest.devDependencies["@types/node"]}`;
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
    expectSuccess(run(this.#folder, "npm", ["install", ...flags, this.tarball, nodeTypes]));
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** The paths of the installed package's files, from the root of the package. */
  installedFiles(): string[] {
    return readdirSync(this.path("node_modules/capstan"), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => path.slice(this.path("node_modules/capstan/").length))
      .filter((path) => !path.startsWith("node_modules/"));
  }

  node(...args: string[]): Run {
    return run(this.#folder, process.execPath, args);
  }

  /** Errors in the given files, or in the declarations of the package. */
  typeErrors(resolution: keyof typeof MODULE_RESOLUTIONS, files: readonly string[]): string[] {
    const compiler = `${repositoryRoot}node_modules/typescript/bin/tsc`;
    const { stdout } = this.node(
      ...[compiler, "--noEmit", "--pretty", "false", ...STRICT],
      ...["--target", "es2023", "--lib", "es2023,esnext.disposable", "--types", "node"],
      ...["--allowJs", "--checkJs", ...MODULE_RESOLUTIONS[resolution], ...files],
    );
    // A diagnostic may go on in indented lines. Other packages' declarations are theirs to mend.
    return stdout
      .split(/\n(?=\S)/)
      .map((diagnostic) => diagnostic.trimEnd())
      .filter(
        (diagnostic) => diagnostic !== "" && !/^node_modules\/(?!capstan\/)/.test(diagnostic),
      );
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface PackageManifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** Runs a tool of this repository. */
export function runTool(script: string, ...args: string[]): Run {
  return run(repositoryRoot, process.execPath, [
    `${repositoryRoot}node_modules/${script}`,
    ...args,
  ]);
}

export function expectSuccess(result: Run): Run {
  if (result.status === 0) return result;
  throw new Error(`exit ${result.status}\n${result.stdout}\n${result.stderr}`);
}

function run(folder: string, command: string, args: readonly string[]): Run {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: RUN_TIMEOUT_MS,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  return { status, stdout, stderr };
}

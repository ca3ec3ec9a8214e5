import type { Finding, Roots, SourceFile } from "./project.ts";

/** Files that cannot be reached from what is published, started by a script, or tested. */
export function unreachableFiles(files: readonly SourceFile[], roots: Roots): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const queue = [
    ...roots.paths,
    ...roots.readers.flatMap((reader) => reader.imports.map((each) => each.target ?? "")),
  ];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = byPath.get(path);
    if (!file || reached.has(path)) continue;
    reached.add(path);
    for (const { target } of file.imports) if (target !== undefined) queue.push(target);
  }
  return files
    .filter((file) => !reached.has(file.path))
    .map((file) => ({ path: file.path, line: 1, message: "nobody imports this file; delete it" }));
}

interface Manifest {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
}

/** The sources of everything that package.json publishes or starts. */
export function rootsOf(manifest: Manifest): string[] {
  const published = Object.values(manifest.exports).map((each) =>
    typeof each === "string" ? each : each.default,
  );
  const started = Object.values(manifest.scripts).flatMap((script) => script.split(/\s+/));
  return [...published, ...Object.values(manifest.bin), ...started].map((path) =>
    path.replace(/^(\.\/)?dist\/(.*)\.js$/, "src/$2.ts"),
  );
}

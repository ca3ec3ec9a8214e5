import { delimiter, dirname, isAbsolute, relative, resolve, sep } from "node:path";

/**
 * How a user calls this command line in a terminal of their own, in the same folder: by the name
 * that their shell finds, through `npx` where it is a dependency of the project, else by its path.
 */
export function ownCommand(
  script: string,
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const folders = script.split(sep);
  const dependency = folders.lastIndexOf("node_modules");
  if (dependency >= 0) {
    const project = folders.slice(0, dependency).join(sep);
    if (isInside(directory, project)) return "npx capstan";
  }
  const onPath = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const name = folders.at(-1);
  if (name === "capstan" && onPath.some((folder) => resolve(folder) === dirname(script))) {
    return "capstan";
  }
  return `node ${shellWord(shortPath(script, directory))}`;
}

/** Relative where it lies in the folder, absolute elsewhere. */
export function shortPath(path: string, directory: string): string {
  return isInside(path, directory) ? relative(directory, path) || "." : resolve(path);
}

/** A word that a POSIX shell takes as it is. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return !isAbsolute(way) && way !== ".." && !way.startsWith(`..${sep}`);
}

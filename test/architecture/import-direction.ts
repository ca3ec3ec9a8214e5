import { isBuiltin } from "node:module";
import type { Finding, Import, SourceFile } from "./project.ts";
import { isWithin, PURE_NODE_MODULES, type Room, roomOf } from "./rooms.ts";

/** Every file lies in a room, and every import follows an arrow that the room lists. */
export function importsAgainstTheArrows(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    if (!room) {
      const message =
        "lies in no room; move it, or add the room to test/architecture/rooms.ts with its arrows";
      return [{ path: file.path, line: 1, message }];
    }
    return file.imports.flatMap((each) => {
      const message = objectionTo(each, file, room);
      return message === undefined ? [] : [{ path: file.path, line: each.line, message }];
    });
  });
}

/** `.ts` specifiers run as they are and are rewritten by the build; others would do only one. */
export function importsWithoutTsExtension(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) =>
    file.imports
      .filter((each) => each.target !== undefined && !each.target.endsWith(".ts"))
      .map((each) => ({
        path: file.path,
        line: each.line,
        message: `"${each.specifier}": relative imports name the source file, with .ts`,
      })),
  );
}

function objectionTo(imported: Import, file: SourceFile, room: Room): string | undefined {
  const { specifier, target } = imported;
  if (target !== undefined) return objectionToFile(imported, target, file, room);
  if (specifier.startsWith("node:") || isBuiltin(specifier)) {
    if (room.node === "any" || PURE_NODE_MODULES.includes(specifier)) return undefined;
    return `${room.name} does no I/O and may not import "${specifier}"; take what it needs through a contract of src/core/contracts/`;
  }
  const name = packageName(specifier);
  if (room.packages.includes(name)) return undefined;
  return `${room.name} may not import the package "${name}"; it may import ${listed(room.packages)}`;
}

function objectionToFile(
  imported: Import,
  target: string,
  file: SourceFile,
  room: Room,
): string | undefined {
  if (room.imports.some((each) => isWithin(target, each))) return undefined;
  if (isOwn(target, file, room)) return undefined;
  const typesOf = room.importsTypesOf ?? [];
  if (typesOf.some((each) => isWithin(target, each))) {
    if (imported.typeOnly) return undefined;
    return `${room.name} may import only types of ${target}; write "import type"`;
  }
  return `${room.name} may not import ${target}; it may import itself and ${listed([...room.imports, ...typesOf])}`;
}

function isOwn(target: string, file: SourceFile, room: Room): boolean {
  const holder = room.holdsPlugIns ? room : plugInHolderOf(room);
  if (!holder) return isWithin(target, room.name);
  if (!isWithin(target, holder.name)) return false;
  const theirs = plugInOf(target, holder);
  return theirs === undefined || theirs === plugInOf(file.path, holder);
}

/** `src/strategies/` for `src/strategies/dynamo/`, which has arrows of its own. */
function plugInHolderOf(room: Room): Room | undefined {
  const parent = roomOf(room.name.replace(/[^/]+\/$/, ""));
  return parent?.holdsPlugIns ? parent : undefined;
}

/** `raft` for `src/strategies/raft/log.ts`; undefined for a file directly in the room. */
function plugInOf(path: string, holder: Room): string | undefined {
  const [first, ...rest] = path.slice(holder.name.length).split("/");
  return rest.length > 0 ? first : undefined;
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function listed(names: readonly string[]): string {
  return names.length > 0 ? names.join(", ") : "none";
}

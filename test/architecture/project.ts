import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "vite";
import { type AstNode, fieldNode, fieldString, visit } from "./ast.ts";

/** One thing that breaks a rule, and where. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export interface Import {
  /** As written: `./codec.ts`, `rxjs`, `node:zlib`. */
  readonly specifier: string;
  /** The file of this repository that is meant, or undefined for a package or a Node module. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly program: AstNode;
  readonly imports: readonly Import[];
  readonly syntaxErrors: readonly string[];
  lineAt(offset: number): number;
}

/** What package.json, the scripts and the tests start from. */
export interface Roots {
  /** Parsed files outside the rooms that import from them: tests and configuration. */
  readonly readers: readonly SourceFile[];
  /** Files that are started or published by name. */
  readonly paths: readonly string[];
}

export interface ErrorRow {
  readonly outcome: string;
  readonly retry: string;
  readonly httpStatus: number;
  readonly summary: string;
}

/** Everything that the rules look at. */
export interface House {
  /** The parsed files of src/, benchmarks/ and examples/. */
  readonly files: readonly SourceFile[];
  readonly roots: Roots;
  /** From code to definition. */
  readonly registry: Readonly<Record<string, ErrorRow>>;
  /** The text of docs/errors.md. */
  readonly errorsPage: string;
}

export const repositoryRoot = fileURLToPath(new URL("../..", import.meta.url));

/** Reads and parses every TypeScript file below the given folders of this repository. */
export function readProject(folders: readonly string[]): SourceFile[] {
  return folders
    .flatMap(listFiles)
    .filter((path) => path.endsWith(".ts"))
    .map((path) => parseFile(path, readFileSync(`${repositoryRoot}${path}`, "utf8")));
}

/** The paths of all files below a folder, from the root of the repository, in a stable order. */
export function listFiles(folder: string): string[] {
  return readdirSync(`${repositoryRoot}${folder}`, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(repositoryRoot, posix.join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes("node_modules/"))
    .sort();
}

export function parseFile(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  const root = program as unknown as AstNode;
  const lineAt = lineLookup(text);
  return {
    path,
    text,
    lineCount: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    program: root,
    imports: importsOf(path, root, lineAt),
    syntaxErrors: errors.map((error) => error.message),
    lineAt,
  };
}

function lineLookup(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] as number) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Static and dynamic imports, re-exports, `import("…")` types, and files addressed by URL. */
function importsOf(path: string, program: AstNode, lineAt: (offset: number) => number): Import[] {
  const found: Import[] = [];
  visit(program, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    const isRelative = specifier.startsWith(".");
    found.push({
      specifier,
      target: isRelative ? posix.join(posix.dirname(path), specifier) : undefined,
      typeOnly: isTypeOnly(node),
      line: lineAt(node.start),
    });
  });
  return found;
}

function specifierOf(node: AstNode): string | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType": {
      const source = fieldNode(node, "source") ?? fieldNode(node, "argument");
      return source && fieldString(source, "value");
    }
    case "TSExternalModuleReference": {
      const expression = fieldNode(node, "expression");
      return expression && fieldString(expression, "value");
    }
    case "NewExpression":
      return urlSpecifierOf(node);
    default:
      return undefined;
  }
}

/** `new URL("./worker.ts", import.meta.url)` names a file as surely as an import does. */
function urlSpecifierOf(node: AstNode): string | undefined {
  const callee = fieldNode(node, "callee");
  if (callee?.type !== "Identifier" || callee.name !== "URL") return undefined;
  const [first, second] = node.arguments as AstNode[];
  const base = second && fieldNode(second, "object");
  if (first?.type !== "Literal" || base?.type !== "MetaProperty") return undefined;
  return fieldString(first, "value");
}

function isTypeOnly(node: AstNode): boolean {
  if (node.type === "TSImportType") return true;
  if (node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = (node.specifiers ?? []) as AstNode[];
  return (
    specifiers.length > 0 &&
    specifiers.every((each) => each.importKind === "type" || each.exportKind === "type")
  );
}

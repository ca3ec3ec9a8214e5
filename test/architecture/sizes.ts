import { type AstNode, fieldNode, identifierName, isFunction, type Place, visit } from "./ast.ts";
import type { Finding, SourceFile } from "./project.ts";

export const MAX_FILE_LINES = 500;
export const MAX_FUNCTION_LINES = 70;
/** Above this, the question "is this one thing?" is asked in a printed warning. */
export const QUESTIONABLE_FILE_LINES = 300;

export function longFiles(files: readonly SourceFile[], limit = MAX_FILE_LINES): Finding[] {
  return files
    .filter((file) => file.lineCount > limit)
    .sort((a, b) => b.lineCount - a.lineCount)
    .map((file) => ({
      path: file.path,
      line: file.lineCount,
      message: `${file.lineCount} lines, above ${limit}; give each thing in it a file of its own`,
    }));
}

export function longFunctions(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    visit(file.program, (node, place) => {
      if (!isFunction(node)) return;
      const line = file.lineAt(node.start);
      const length = file.lineAt(node.end) - line + 1;
      if (length <= MAX_FUNCTION_LINES) return;
      const message = `${functionName(node, place)} has ${length} lines, above ${MAX_FUNCTION_LINES}; name its steps as functions`;
      findings.push({ path: file.path, line, message });
    });
    return findings;
  });
}

function functionName(node: AstNode, { parent }: Place): string {
  const holder = parent && (fieldNode(parent, "id") ?? fieldNode(parent, "key"));
  return identifierName(fieldNode(node, "id")) ?? identifierName(holder) ?? "a function";
}

import { visit } from "./ast.ts";
import type { ErrorRow, Finding, House, SourceFile } from "./project.ts";

type ErrorRegistry = House["registry"];

export const REGISTRY_PATH = "src/core/model/errors.ts";
export const ERRORS_PAGE_PATH = "docs/errors.md";

/** Rows of the table in docs/errors.md that differ from the registry, with the row that is due. */
export function differencesOfTheErrorsPage(registry: ErrorRegistry, page: string): Finding[] {
  const documented = tableRows(page);
  const findings: Finding[] = [];
  const add = (line: number, message: string): void => {
    findings.push({ path: ERRORS_PAGE_PATH, line, message });
  };
  for (const [code, definition] of Object.entries(registry)) {
    const expected = expectedRow(code, definition);
    const actual = documented.get(code);
    if (actual === undefined) add(1, `no row for ${code}; add\n  ${expected}`);
    else if (actual.row !== expected)
      add(actual.line, `the row of ${code} has to be\n  ${expected}`);
  }
  for (const [code, { line }] of documented) {
    if (!(code in registry)) add(line, `${code} is not in ${REGISTRY_PATH}; remove the row`);
  }
  return findings;
}

/** Codes of the registry that no other file of the sources mentions. */
export function codesNobodyRaises(
  registry: ErrorRegistry,
  files: readonly SourceFile[],
): Finding[] {
  const mentioned = new Set<unknown>();
  for (const file of files) {
    if (file.path === REGISTRY_PATH) continue;
    visit(file.program, (node) => {
      if (node.type === "Literal") mentioned.add(node.value);
    });
  }
  return Object.keys(registry)
    .filter((code) => !mentioned.has(code))
    .map((code) => ({
      path: REGISTRY_PATH,
      line: 1,
      message: `${code} is raised nowhere; remove it`,
    }));
}

export function expectedRow(code: string, row: ErrorRow): string {
  return `| \`${code}\` | ${row.outcome} | ${row.retry} | ${row.httpStatus} | ${row.summary} |`;
}

function tableRows(page: string): Map<string, { readonly row: string; readonly line: number }> {
  const rows = new Map<string, { readonly row: string; readonly line: number }>();
  for (const [index, row] of page.split("\n").entries()) {
    const code = /^\| `([A-Z_]+)` \|/.exec(row)?.[1];
    if (code !== undefined) rows.set(code, { row: row.trimEnd(), line: index + 1 });
  }
  return rows;
}

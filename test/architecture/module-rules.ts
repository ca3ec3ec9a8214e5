import {
  type AstNode,
  fieldNode,
  fieldNodes,
  fieldString,
  identifierName,
  isFunction,
  visit,
} from "./ast.ts";
import type { Finding, SourceFile } from "./project.ts";

/** What may be made once for all stores, because using it changes nothing in it. */
const STATELESS_CLASSES: readonly string[] = Object.freeze([
  "Error",
  "RegExp",
  "TextDecoder",
  "TextEncoder",
  "URL",
]);

const STATE_REMEDY =
  "module state is shared by every store of the process; keep it in an object that somebody owns, or make it unchangeable (Object.freeze, `as const`, a Readonly type)";

export function defaultExports(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    visit(file.program, (node) => {
      const exported = fieldNode(node, "exported");
      const isDefault =
        node.type === "ExportDefaultDeclaration" ||
        (exported && (exported.name === "default" || exported.value === "default"));
      if (!isDefault) return;
      const message = "a default export has no name of its own; export it by name";
      findings.push({ path: file.path, line: file.lineAt(node.start), message });
    });
    return findings;
  });
}

/** Module-level and static variables that can change. */
export function moduleState(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    const add = (node: AstNode, what: string): void => {
      const message = `${what}: ${STATE_REMEDY}`;
      findings.push({ path: file.path, line: file.lineAt(node.start), message });
    };
    for (const declaration of topLevelDeclarations(file.program)) {
      if (declaration.declare === true) continue;
      if (declaration.type === "VariableDeclaration") inspectVariables(declaration, add);
      if (declaration.type === "ClassDeclaration") inspectStatics(declaration, add);
    }
    return findings;
  });
}

/** Exported functions, classes and types that say Buffer where Uint8Array would do. */
export function buffersInExportedTypes(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = [];
    for (const declaration of exportedDeclarations(file.program)) {
      visit(declaration, (node, { field, parent }) => {
        if (isHidden(node, field, parent)) return "skip";
        const typeName = node.type === "TSTypeReference" && fieldNode(node, "typeName");
        if (!typeName || lastName(typeName) !== "Buffer") return;
        const message = "Buffer in an exported signature; say Uint8Array, which every runtime has";
        findings.push({ path: file.path, line: file.lineAt(node.start), message });
      });
    }
    return findings;
  });
}

function topLevelDeclarations(program: AstNode): AstNode[] {
  return fieldNodes(program, "body").map((node) => fieldNode(node, "declaration") ?? node);
}

function exportedDeclarations(program: AstNode): AstNode[] {
  const statements = fieldNodes(program, "body");
  const names = new Set(
    statements
      .filter((node) => node.type === "ExportNamedDeclaration" && !fieldNode(node, "source"))
      .flatMap((node) => fieldNodes(node, "specifiers"))
      .map((specifier) => identifierName(fieldNode(specifier, "local"))),
  );
  return statements.flatMap((node) => {
    const exported = fieldNode(node, "declaration");
    if (exported) return [exported];
    return namesOf(node).some((name) => names.has(name)) ? [node] : [];
  });
}

function namesOf(declaration: AstNode): (string | undefined)[] {
  return [declaration, ...fieldNodes(declaration, "declarations")].map((node) =>
    identifierName(fieldNode(node, "id")),
  );
}

/** Bodies, initial values and private members are not part of a signature. */
function isHidden(node: AstNode, field: string, parent: AstNode | undefined): boolean {
  if (field === "body" && parent && isFunction(parent)) return true;
  if (node.accessibility === "private") return true;
  const key = fieldNode(node, "key");
  if (key?.type === "PrivateIdentifier") return true;
  return field === "value" && parent?.type === "PropertyDefinition" && !isFunction(node);
}

function lastName(typeName: AstNode): string | undefined {
  return identifierName(typeName) ?? identifierName(fieldNode(typeName, "right"));
}

type Report = (node: AstNode, what: string) => void;

function inspectVariables(declaration: AstNode, report: Report): void {
  for (const variable of fieldNodes(declaration, "declarations")) {
    const id = fieldNode(variable, "id");
    const name = identifierName(id) ?? "a pattern";
    if (declaration.kind !== "const" && declaration.kind !== "using") {
      report(variable, `module-level ${declaration.kind} ${name}`);
    } else if (id && !isReadonlyTyped(id) && holdsState(fieldNode(variable, "init"))) {
      report(variable, `module-level ${name} can change`);
    }
  }
}

function inspectStatics(declaration: AstNode, report: Report): void {
  const body = fieldNode(declaration, "body");
  for (const member of body ? fieldNodes(body, "body") : []) {
    if (member.type !== "PropertyDefinition" || member.static !== true) continue;
    const name = fieldString(fieldNode(member, "key") ?? member, "name") ?? "member";
    const value = fieldNode(member, "value");
    if (member.readonly !== true) report(member, `static ${name} is not readonly`);
    else if (!isReadonlyTyped(member) && holdsState(value)) {
      report(member, `static ${name} can change`);
    }
  }
}

function holdsState(value: AstNode | undefined): boolean {
  switch (value?.type) {
    case "ArrayExpression":
      return true;
    case "ObjectExpression":
      return fieldNodes(value, "properties").length === 0;
    case "NewExpression":
      return !isStateless(value);
    case "CallExpression":
      return callHoldsState(value);
    case "TSSatisfiesExpression":
      return holdsState(fieldNode(value, "expression"));
    case "TSAsExpression":
      return !isConstOrReadonly(value) && holdsState(fieldNode(value, "expression"));
    default:
      return false;
  }
}

/** An empty or listed array of bytes is a constant; one of a given length is a scratch buffer. */
function isStateless(construction: AstNode): boolean {
  const name = identifierName(fieldNode(construction, "callee")) ?? "";
  if (STATELESS_CLASSES.includes(name)) return true;
  const [first] = fieldNodes(construction, "arguments");
  return (
    /^(Ui|I)nt\d+Array$/.test(name) && (first?.value === 0 || first?.type === "ArrayExpression")
  );
}

function callHoldsState(call: AstNode): boolean {
  const callee = fieldNode(call, "callee");
  const owner = callee && identifierName(fieldNode(callee, "object"));
  const member = callee && identifierName(fieldNode(callee, "property"));
  const [first] = fieldNodes(call, "arguments");
  if (owner === "Object" && member === "create") return true;
  if (owner === "Buffer" && member?.startsWith("alloc")) return first?.value !== 0;
  // Freezing an array or a literal object is enough; a frozen Map still takes entries.
  return owner === "Object" && member === "freeze" && first?.type === "NewExpression"
    ? holdsState(first)
    : false;
}

function isConstOrReadonly(assertion: AstNode): boolean {
  const type = fieldNode(assertion, "typeAnnotation");
  return type !== undefined && (isReadonlyType(type) || referencedName(type) === "const");
}

function isReadonlyTyped(node: AstNode): boolean {
  const annotation = fieldNode(node, "typeAnnotation");
  const type = annotation && fieldNode(annotation, "typeAnnotation");
  return type !== undefined && isReadonlyType(type);
}

function isReadonlyType(type: AstNode): boolean {
  if (type.type === "TSTypeOperator") return type.operator === "readonly";
  return referencedName(type)?.startsWith("Readonly") ?? false;
}

function referencedName(type: AstNode): string | undefined {
  const typeName = type.type === "TSTypeReference" ? fieldNode(type, "typeName") : undefined;
  return typeName && lastName(typeName);
}

/** A node of the syntax tree (ESTree with TypeScript), as far as the rules look at it. */
export interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface Place {
  readonly parent: AstNode | undefined;
  /** The field of the parent that holds the node. */
  readonly field: string;
  /** From the root down to the parent. */
  readonly ancestors: readonly AstNode[];
}

/** Calls `enter` for every node, parents first. Where it answers "skip", children are left out. */
export function visit(root: AstNode, enter: (node: AstNode, place: Place) => unknown): void {
  const ancestors: AstNode[] = [];
  const descend = (node: AstNode, field: string): void => {
    if (enter(node, { parent: ancestors.at(-1), field, ancestors }) === "skip") return;
    ancestors.push(node);
    for (const [name, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isNode(child)) descend(child, name);
      }
    }
    ancestors.pop();
  };
  descend(root, "");
}

export function isNode(value: unknown): value is AstNode {
  return (
    typeof value === "object" && value !== null && typeof Reflect.get(value, "type") === "string"
  );
}

export function fieldNode(node: AstNode, field: string): AstNode | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

export function fieldNodes(node: AstNode, field: string): AstNode[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

export function fieldString(node: AstNode, field: string): string | undefined {
  const value = node[field];
  return typeof value === "string" ? value : undefined;
}

/** The name of an identifier, or undefined for any other node. */
export function identifierName(node: AstNode | undefined): string | undefined {
  return node?.type === "Identifier" ? fieldString(node, "name") : undefined;
}

/** The name after the dot in `object.name` or `object["name"]`. */
export function memberName(node: AstNode): string | undefined {
  const property = fieldNode(node, "property");
  if (!property) return undefined;
  return node.computed === true ? fieldString(property, "value") : fieldString(property, "name");
}

const namedParts: Readonly<Record<string, string>> = {
  MemberExpression: "property",
  Property: "key",
  MethodDefinition: "key",
  PropertyDefinition: "key",
  AccessorProperty: "key",
  TSPropertySignature: "key",
  TSMethodSignature: "key",
  TSAbstractMethodDefinition: "key",
  TSAbstractPropertyDefinition: "key",
  ImportSpecifier: "imported",
  ExportSpecifier: "exported",
  TSQualifiedName: "right",
  LabeledStatement: "label",
};

/** False for an identifier that only names a member, a key or a label. */
export function isReference(place: Place): boolean {
  const { parent, field } = place;
  if (!parent || namedParts[parent.type] !== field) return true;
  return parent.computed === true || parent.shorthand === true;
}

export function isFunction(node: AstNode): boolean {
  return (
    node.type === "FunctionDeclaration" ||
    node.type === "FunctionExpression" ||
    node.type === "ArrowFunctionExpression"
  );
}

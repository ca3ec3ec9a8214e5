import type {
  HistoryOperation,
  KeyValueInput,
  KeyValueOperation,
  KeyValueOutput,
  KeyValuePut,
} from "./operation.ts";

const MAX_TEXT = 32;

/** `put "k" = "v1"`, `get "k" → nothing`: what was asked and, of reads, what was answered. */
export function describeOperation({ input, output, outcome }: KeyValueOperation): string {
  const text = describeInput(input);
  if (input.type !== "get") {
    if (output?.isDone === false) return `${text} (refused)`;
    return outcome === "applied" ? text : `${text} (${outcome})`;
  }
  return output === undefined ? `${text} (no answer)` : `${text} -> ${describeFound(output)}`;
}

/** `c1@n2`, or `c1` where the node is not known. */
export function describeClient({ client, node }: HistoryOperation<unknown, unknown>): string {
  return node === undefined ? client : `${client}@${node}`;
}

/** As JSON where that holds it; cut to some thirty characters. */
export function describeValue(value: unknown): string {
  const text = JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member === "bigint") return `${member}n`;
    return member instanceof Uint8Array ? `bytes ${Buffer.from(member).toString("hex")}` : member;
  });
  return shortened(text);
}

function describeInput(input: KeyValueInput): string {
  if (input.type === "get") return `get ${key(input.key)}`;
  if (input.type === "put") {
    return `put ${key(input.key)} = ${describeValue(input.value)}${describeCondition(input)}`;
  }
  if (input.type === "delete") return `delete ${key(input.key)}${describeCondition(input)}`;
  const writes = input.writes.map((write) =>
    write.value === undefined
      ? `${key(write.key)} deleted`
      : `${key(write.key)} = ${describeValue(write.value)}`,
  );
  return `batch ${writes.join(", ")}`;
}

function describeCondition({ condition }: Pick<KeyValuePut, "condition">): string {
  if (condition === undefined) return "";
  return condition.value === undefined ? " if absent" : ` if ${describeValue(condition.value)}`;
}

function describeFound({ value, siblings }: KeyValueOutput): string {
  if (siblings !== undefined) return `siblings ${siblings.map(describeValue).join(", ")}`;
  return value === undefined ? "nothing" : describeValue(value);
}

function key(text: string): string {
  return shortened(JSON.stringify(text));
}

function shortened(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 2)}..`;
}

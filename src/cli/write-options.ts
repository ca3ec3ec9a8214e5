import type { Command } from "commander";
import type { ConditionalWritten, Written } from "../core/store/api.ts";
import type { ServerOptions } from "./client-session.ts";
import { describeReceipt, warnIfWeaker } from "./describe-receipt.ts";
import { EXIT } from "./exit-codes.ts";
import { plainMismatch, plainWritten, valueText } from "./plain-json.ts";
import { printLine, type Surroundings } from "./surroundings.ts";

/** What `put` and `delete` share; `update` takes the operation id of them. */
export interface WriteFlags {
  readonly ifVersion?: string;
  readonly context?: string;
  readonly operationId?: string;
}

export function addWriteOptions(command: Command): Command {
  return command
    .option(
      "--if-version <version>",
      "only if the key is still in this version (keyspaces with consensus)",
    )
    .option(
      "--context <version>",
      "what a read showed, its version: the write takes the place of all of it (keyspaces with siblings)",
    )
    .option("--operation-id <id>", "repeat a write whose outcome was unknown: the very same write");
}

export function writeOptions(flags: WriteFlags): WriteFlags {
  return {
    ...(flags.ifVersion === undefined ? {} : { ifVersion: flags.ifVersion }),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    ...(flags.operationId === undefined ? {} : { operationId: flags.operationId }),
  };
}

export function reportWrite(
  done: "written" | "deleted" | "updated",
  key: string,
  result: Written | ConditionalWritten<unknown>,
  options: ServerOptions,
  surroundings: Surroundings,
): number {
  const { stdout, stderr } = surroundings;
  if ("ok" in result && !result.ok) {
    if (options.json) printLine(stdout, JSON.stringify(plainMismatch(key, result)));
    else printLine(stderr, `not ${done} (${result.reason}): ${describeCurrent(result.current)}`);
    return EXIT.versionMismatch;
  }
  if (options.json) printLine(stdout, JSON.stringify(plainWritten(key, result)));
  else {
    warnIfWeaker(result.receipt, surroundings);
    printLine(stdout, `${done} (${describeReceipt(result.receipt)}), version ${result.version}`);
  }
  return EXIT.done;
}

function describeCurrent(current: Extract<ConditionalWritten<unknown>, { ok: false }>["current"]) {
  if (!current.found) return "there is no such key";
  const value = current.conflict
    ? `${current.siblings.length} versions side by side`
    : valueText(current.value);
  return `the key is in version ${current.version}: ${value}`;
}

import { CommanderError } from "commander";
import { type CapstanError, isCapstanError } from "../core/model/errors.ts";
import type { Outcome } from "../core/model/outcome.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { paintFor } from "./paint.ts";
import { printLine, type Surroundings } from "./surroundings.ts";

/**
 * Says what went wrong: one line for people on standard error, or with `--json` one object on
 * standard output. Gives the exit code.
 */
export function reportFault(error: unknown, surroundings: Surroundings, json: boolean): number {
  const exitCode = exitCodeOf(error);
  if (json) printLine(surroundings.stdout, JSON.stringify({ error: faultFields(error) }));
  else {
    const paint = paintFor(surroundings.stderr, surroundings.env);
    printLine(surroundings.stderr, `${paint("red", "error:")} ${faultLine(error)}`);
  }
  return exitCode;
}

/** Line breaks would make one fault look like several to whoever counts lines. */
export function faultLine(error: unknown): string {
  return sentences(error)
    .map((sentence) => oneLine(sentence))
    .join(" ");
}

export function faultFields(error: unknown): Record<string, unknown> {
  if (!isCapstanError(error)) {
    const usage = exitCodeOf(error) === 2;
    return {
      code: usage ? "USAGE" : "INTERNAL",
      outcome: usage ? "not-applied" : "unknown",
      message: messageOf(error),
    };
  }
  return {
    code: error.code,
    outcome: error.outcome,
    retry: error.retry,
    message: error.message,
    ...(error.operationId === undefined ? {} : { operation_id: error.operationId }),
    ...(error.allowed === undefined ? {} : { allowed: error.allowed }),
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

function sentences(error: unknown): string[] {
  if (!isCapstanError(error)) {
    return exitCodeOf(error) === 2
      ? [messageOf(error)]
      : [
          `unexpected: ${withFullStop(messageOf(error))}`,
          "This is a fault of the command line itself.",
        ];
  }
  const allowed = unmentioned(error);
  return [
    `${error.code} (${OUTCOME_WORDS[error.outcome]}): ${withFullStop(error.message)}`,
    ...(allowed.length === 0 ? [] : [`Allowed: ${allowed.join(", ")}.`]),
    ...(error.operationId === undefined ? [] : [`Operation id: ${error.operationId}.`]),
    ...adviceFor(error),
  ];
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  applied: "applied",
  "not-applied": "not applied",
  unknown: "outcome unknown",
};

function adviceFor(error: CapstanError): string[] {
  if (error.code === "UNREACHABLE_SERVER" && error.details?.servers !== undefined) {
    return [
      "Is a NATS server running there? `capstan cluster --transport nats` starts one of its own",
      "where neither --nats-url nor transport.servers names another.",
    ];
  }
  if (error.code === "UNREACHABLE_SERVER") {
    return [
      "Is a node running there? `capstan cluster` starts some on this machine;",
      "--url or CAPSTAN_URL names another address.",
    ];
  }
  if (error.code === "UNAUTHENTICATED") {
    return ["CAPSTAN_TOKEN is the token to show, --token-file a file that has it."];
  }
  if (error.outcome === "unknown" && error.operationId !== undefined) {
    return [
      `To make sure of it, run the same command again with --operation-id ${error.operationId}:`,
      "it is the very same write, never a second one.",
    ];
  }
  if (error.outcome === "unknown") return ["Read the key to see what holds."];
  return error.retry === "safe" ? ["Nothing happened: trying again is safe."] : [];
}

/** Most messages name what is allowed themselves. */
function unmentioned(error: CapstanError): readonly (string | number)[] {
  const allowed = error.allowed ?? [];
  return allowed.every((each) => error.message.includes(String(each))) ? [] : allowed;
}

function messageOf(error: unknown): string {
  if (error instanceof CommanderError) return error.message.replace(/^error: /, "");
  return error instanceof Error ? error.message : String(error);
}

function withFullStop(text: string): string {
  return /[.!?]$/.test(text.trimEnd()) ? text.trimEnd() : `${text.trimEnd()}.`;
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}

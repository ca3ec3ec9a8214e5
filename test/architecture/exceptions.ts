import type { Finding } from "./project.ts";

/** A finding that is right to keep: which rule, where, how its message begins, and why. */
export interface Exception {
  readonly rule: string;
  readonly path: string;
  readonly finding: string;
  readonly reason: string;
}

/**
 * The deviations that the house knows of. An entry that matches nothing any more fails the test as
 * well, so that the list never says more than is true.
 */
export const EXCEPTIONS: readonly Exception[] = Object.freeze<Exception[]>([
  {
    rule: "modules hold no state",
    path: "src/core/model/values.ts",
    finding: "module-level ENCODER",
    reason:
      "a scratch buffer on the path of every write; it carries nothing from one call to the next",
  },
  {
    rule: "modules hold no state",
    path: "src/core/model/values.ts",
    finding: "module-level NAMES",
    reason: "a table of fixed size on the path of every read; a hit and a miss give the same value",
  },
  {
    rule: "nothing reads the real clock",
    path: "src/client/call-deadline.ts",
    finding: "setTimeout",
    reason: "the client lives outside of any store and has no Environment; its one timer is here",
  },
  {
    rule: "nothing reads the real clock",
    path: "src/client/call-deadline.ts",
    finding: "clearTimeout",
    reason: "the client lives outside of any store and has no Environment; its one timer is here",
  },
  {
    rule: "nothing reads the real clock",
    path: "src/client/call-deadline.ts",
    finding: "performance",
    reason:
      "how late its one timer fires says whether the event loop was held, and how much of its time is left",
  },
  {
    rule: "imports follow the arrows of the architecture",
    path: "src/core/store/listen-to-abort.ts",
    finding: "src/core/store/ does no I/O",
    reason: "only setMaxListeners can stop Node 20 from taking the calls under a signal for a leak",
  },
]);

export function withoutExceptions(
  rule: string,
  findings: readonly Finding[],
  exceptions: readonly Exception[] = EXCEPTIONS,
): Finding[] {
  return findings.filter((finding) => !exceptions.some((each) => covers(each, rule, finding)));
}

/** Exceptions that cover none of their rule's findings. */
export function staleExceptions(
  findingsOf: (rule: string) => readonly Finding[] | undefined,
  exceptions: readonly Exception[] = EXCEPTIONS,
): Exception[] {
  return exceptions.filter(
    (each) => !findingsOf(each.rule)?.some((finding) => covers(each, each.rule, finding)),
  );
}

function covers(exception: Exception, rule: string, finding: Finding): boolean {
  return (
    exception.rule === rule &&
    exception.path === finding.path &&
    finding.message.startsWith(exception.finding)
  );
}

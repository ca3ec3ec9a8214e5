/** What `fetch` says of a port by which another protocol is known, whoever listens there. */
const BAD_PORT = "bad port";

interface Cause {
  readonly code?: unknown;
  readonly message?: unknown;
}

/** Whether `fetch` connects with no such port. */
export function isBadPort(error: unknown): boolean {
  return causeOf(error).message === BAD_PORT;
}

/** Why `fetch` failed: its own message says no more than that. */
export function describeFetchFailure(error: unknown): string {
  if (isBadPort(error)) {
    return (
      "fetch connects with no port that belongs to another protocol (the Fetch standard lists them): " +
      "let the node serve HTTP at another one"
    );
  }
  const { code, message } = causeOf(error);
  if (typeof code === "string") return code;
  return typeof message === "string" && message !== "" ? message : (error as Error).message;
}

function causeOf(error: unknown): Cause {
  const { cause } = (error ?? {}) as { readonly cause?: Cause };
  return cause ?? {};
}

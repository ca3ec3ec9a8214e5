/** What `fetch` says of a port by which another protocol is known, whoever listens there. */
const BAD_PORT = "bad port";

/** Before a byte of the request had left: the connection was refused by one of its two ends. */
export class UnsentFailure extends Error {
  override readonly name = "UnsentFailure";

  constructor(cause: NodeJS.ErrnoException) {
    super(describe(cause), { cause });
  }
}

/** Of certificates the message says more than its code. */
function describe({ code, message }: NodeJS.ErrnoException): string {
  if (code === undefined || message.includes(code)) return message;
  return `${message} (${code})`;
}

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

/** Whether the failure itself says that nothing was sent. */
export function isUnsentFailure(error: unknown): boolean {
  return causeOf(error) instanceof UnsentFailure;
}

function causeOf(error: unknown): Cause {
  const { cause } = (error ?? {}) as { readonly cause?: Cause };
  return cause ?? {};
}

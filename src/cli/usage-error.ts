/** The command line, or a file that it names, is wrong. Nothing was sent anywhere. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

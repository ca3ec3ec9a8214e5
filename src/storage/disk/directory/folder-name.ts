/** As they are on every file system, whatever it makes of upper and lower case. */
const PLAIN = /^[a-z0-9_-]$/;
/** Names of devices on Windows, with whatever extension. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/;

/**
 * The folder of a node: its name, where that is of lower-case letters, digits, `_` and `-`, and
 * `%` with two hex digits for each other byte. Two nodes never share one.
 */
export function folderNameOf(node: string): string {
  const bytes = [...Buffer.from(node, "utf8")];
  const isReserved = RESERVED.test(node);
  return bytes
    .map((byte, at) => {
      const character = String.fromCharCode(byte);
      const isPlain = PLAIN.test(character) && !(isReserved && at === 0);
      return isPlain ? character : `%${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

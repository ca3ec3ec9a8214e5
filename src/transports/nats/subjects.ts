import { LANES, type Lane } from "../../core/contracts/transport.ts";

/** RFC 4648 §6 in lower case: nothing that a subject gives a meaning to, whatever the name is. */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const BITS = 5;

const INBOX_SUFFIXES: Readonly<Record<Lane, string>> = Object.freeze({
  control: "",
  log: "-log",
  bulk: "-bulk",
});

/** One token of a subject: the UTF-8 bytes of `name` in base32 without padding. */
export function encodeToken(name: string): string {
  let token = "";
  let bits = 0;
  let value = 0;
  for (const byte of new TextEncoder().encode(name)) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= BITS) {
      bits -= BITS;
      token += ALPHABET[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? token : token + ALPHABET[(value << (BITS - bits)) & 31];
}

/** The name that `encodeToken` makes this token of; undefined if there is none. */
export function decodeToken(token: string): string | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of token) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) return undefined;
    value = ((value << BITS) | digit) & 0xfff;
    bits += BITS;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >>> bits) & 0xff);
  }
  const name = new TextDecoder().decode(Uint8Array.from(bytes));
  // Spare bits, a lone digit, bytes that are no text: only the one way to write a name counts.
  return encodeToken(name) === token ? name : undefined;
}

/**
 * `capstan.<cluster>.<to>.<from>`, where `<to>` is the receiver's inbox of one lane: its own token
 * for `control`, with `-log` and `-bulk` for the others. So a node needs leave to publish to one
 * subject, `capstan.<cluster>.*.<self>`, and cannot write another one's name into its frames.
 */
export function frameSubject(cluster: string, to: string, from: string, lane: Lane): string {
  return `${inboxOf(cluster, to, lane)}.${encodeToken(from)}`;
}

/** What a node subscribes to for one lane. */
export function inboxSubject(cluster: string, self: string, lane: Lane): string {
  return `${inboxOf(cluster, self, lane)}.*`;
}

/** Where the sender's token begins in every subject of that inbox. */
export function senderTokenAt(cluster: string, self: string, lane: Lane): number {
  return inboxOf(cluster, self, lane).length + 1;
}

/** What the user of a node needs on a server that gives each user its own permissions. */
export function natsPermissions(
  cluster: string,
  node: string,
): { readonly publish: readonly string[]; readonly subscribe: readonly string[] } {
  return {
    publish: [`capstan.${encodeToken(cluster)}.*.${encodeToken(node)}`],
    subscribe: LANES.map((lane) => inboxSubject(cluster, node, lane)),
  };
}

function inboxOf(cluster: string, to: string, lane: Lane): string {
  return `capstan.${encodeToken(cluster)}.${encodeToken(to)}${INBOX_SUFFIXES[lane]}`;
}

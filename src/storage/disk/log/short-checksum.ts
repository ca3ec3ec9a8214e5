const POLYNOMIAL = 0xedb88320;
const TABLES = 4;

/**
 * CRC-32, as `zlib.crc32` has it, of the few bytes of a header: a call into native code, with a view
 * of the bytes made for it, costs several times what they do. Beyond some hundred bytes native code
 * is the faster one.
 */
export function shortChecksum(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  let check = ~seed;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    check ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    check =
      (BY_BYTE[0x300 | (check & 0xff)] as number) ^
      (BY_BYTE[0x200 | ((check >>> 8) & 0xff)] as number) ^
      (BY_BYTE[0x100 | ((check >>> 16) & 0xff)] as number) ^
      (BY_BYTE[check >>> 24] as number);
  }
  for (; at < to; at += 1) {
    check = (check >>> 8) ^ (BY_BYTE[(check ^ (bytes[at] as number)) & 0xff] as number);
  }
  return ~check >>> 0;
}

/** Entry `256 · k + b`: what the byte b does to the checksum when k more bytes follow it. */
const BY_BYTE: Readonly<Int32Array> = tables();

function tables(): Int32Array {
  const entries = new Int32Array(256 * TABLES);
  for (let byte = 0; byte < 256; byte += 1) {
    let check = byte;
    for (let bit = 0; bit < 8; bit += 1) {
      check = (check & 1) === 1 ? (check >>> 1) ^ POLYNOMIAL : check >>> 1;
    }
    entries[byte] = check;
  }
  for (let at = 256; at < entries.length; at += 1) {
    const before = entries[at - 256] as number;
    entries[at] = (before >>> 8) ^ (entries[before & 0xff] as number);
  }
  return entries;
}

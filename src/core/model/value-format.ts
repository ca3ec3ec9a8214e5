/**
 * The canonical encoding of values. One version byte, then one item:
 *
 *     0x80 + n            the integer n, 0 ≤ n < 128
 *     null, false, true   the tag alone
 *     integer             varint(n), n ≥ 128
 *     negative            varint(−1 − n)
 *     float               the eight bytes of the double: no safe integer, finite
 *     bigint, −bigint     varint(length), magnitude, big-endian, no leading zero
 *     date                the eight bytes of the milliseconds as a double
 *     bytes, text         varint(length), the bytes; text is UTF-8
 *     array               varint(count), items
 *     object              varint(count), count × (varint(length), key, item)
 *
 * Keys rise strictly in the order of their UTF-16 code units; varints are little-endian base 128
 * of minimal length. Each value has exactly one encoding, and the decoder takes no other: equal
 * bytes ⇔ equal values.
 */
export const VALUE_VERSION = 1;

export const TAG_NULL = 0x00;
export const TAG_FALSE = 0x01;
export const TAG_TRUE = 0x02;
export const TAG_INTEGER = 0x03;
export const TAG_NEGATIVE = 0x04;
export const TAG_FLOAT = 0x05;
export const TAG_BIGINT = 0x06;
export const TAG_NEGATIVE_BIGINT = 0x07;
export const TAG_DATE = 0x08;
export const TAG_BYTES = 0x09;
export const TAG_TEXT = 0x0a;
export const TAG_ARRAY = 0x0b;
export const TAG_OBJECT = 0x0c;
/** This and above: an integer below 128 in the tag itself. */
export const TAG_SMALL = 0x80;

/** Arrays and objects within each other. Bounds the stack on both sides; also ends cycles. */
export const MAX_VALUE_DEPTH = 100;

/** Greatest distance of a Date from 1970 (ECMA-262, §21.4.1.1). */
export const MAX_DATE_MS = 8.64e15;

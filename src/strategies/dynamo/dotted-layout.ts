/**
 * Where things stand in a record of dotted versions:
 * `format, flags, newest time, context, siblings or states`. The format differs from that of
 * stamped records, so that neither is ever taken for the other.
 */
export const FORMAT = 3;
export const FLAG_ALIVE = 1;
export const FLAG_STATES = 2;
/** Header and context alone. */
export const FLAG_SUMMARY = 4;
/** Something that is alive expires. */
export const FLAG_EXPIRES = 8;
export const KNOWN_FLAGS = FLAG_ALIVE | FLAG_STATES | FLAG_SUMMARY | FLAG_EXPIRES;
export const DELETION = 0;
export const VALUE = 1;
export const EXPIRING_VALUE = 2;
export const TIME_AT = 2;
export const HEADER_BYTES = TIME_AT + 8;
/** Eight bytes of actor, six of counter. */
export const DOT_BYTES = 14;
/** In front of what is in a sibling: its dot, its time, its kind. */
export const SIBLING_HEAD_BYTES = DOT_BYTES + 8 + 1;

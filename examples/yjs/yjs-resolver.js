/**
 * Yjs documents as values of a keyspace: a resolver of one's own, made of a CRDT that exists.
 *
 * A client keeps a `Y.Doc`, and sends what changed in it:
 *
 *     await notes.update("shopping", { apply: Y.encodeStateAsUpdate(doc, sinceThen) });
 *     const read = await notes.get("shopping");
 *     if (read.found) Y.applyUpdate(doc, read.value);
 *
 * In a configuration file: `"resolver": { "module": "./yjs-resolver.js" }`.
 */
import { CapstanError } from "capstan";
import { defineResolver } from "capstan/resolvers";
import * as Y from "yjs";

const EMPTY = Y.encodeStateAsUpdate(new Y.Doc());
const ALLOWED = "{ apply: update }, a Uint8Array as Y.encodeStateAsUpdate gives it";

/**
 * All updates in one document, written anew: merged without it, the same content can have several
 * encodings, and equal states have to be equal bytes. One transaction, so that neighbours that belong
 * together are put together wherever they came from.
 */
function united(...updates) {
  const doc = new Y.Doc();
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update);
  });
  const state = Y.encodeStateAsUpdate(doc);
  doc.destroy();
  return state;
}

export const resolver = defineResolver({
  name: "yjs",
  initial: () => EMPTY,
  mutate: (state, { apply }) => united(state, apply),
  join: (a, b) => united(a, b),
  /** Clients apply it to their document: `Y.applyUpdate(doc, value)`. */
  value: (state) => state,
  /** A Yjs update may come early, late and twice: Yjs keeps it until what it rests on is there. */
  delta: (_state, { apply }) => apply,
  checkOperation: (operation) => {
    const apply = operation?.apply;
    if (!(apply instanceof Uint8Array) || Object.keys(operation).length !== 1) {
      throw new CapstanError("INVALID_ARGUMENT", `not an operation of yjs; allowed: ${ALLOWED}`);
    }
    try {
      united(apply);
    } catch (cause) {
      const why = `apply is no Yjs update (${cause.message}); allowed: ${ALLOWED}`;
      throw new CapstanError("INVALID_ARGUMENT", why, { cause });
    }
    return { apply };
  },
});

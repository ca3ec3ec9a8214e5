import assert from "node:assert/strict";
import { test } from "node:test";
import { checkResolverLaws } from "capstan/resolvers";
import * as Y from "yjs";
import { resolver } from "./yjs-resolver.js";

/** A person's copy of the document. Client ids are Yjs's own names for those who write. */
function person(clientID) {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  return doc;
}

/** What `edit` changes in the document, as an operation for `update`. */
function change(doc, edit) {
  const before = Y.encodeStateVector(doc);
  doc.transact(() => edit(doc.getText("note"), doc.getMap("done")));
  return { apply: Y.encodeStateAsUpdate(doc, before) };
}

function textOf(state) {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, resolver.value(state));
  return doc.getText("note").toString();
}

const dot = (actor, counter) => ({ actor, counter, time: 0 });

test("both sides of a cut write into one note", () => {
  const [ada, bob] = [person(1), person(2)];
  const first = change(ada, (note) => note.insert(0, "milk, eggs"));
  Y.applyUpdate(bob, first.apply);
  const before = resolver.mutate(resolver.initial(), first, dot("a", 1));
  const left = resolver.mutate(
    before,
    change(ada, (note) => note.insert(note.length, ", tea")),
    dot("a", 2),
  );
  const right = resolver.mutate(
    before,
    change(bob, (note) => note.delete(0, 6)),
    dot("b", 1),
  );
  assert.equal(textOf(resolver.join(left, right)), "eggs, tea");
  assert.deepEqual(resolver.join(right, left), resolver.join(left, right));
});

/** Edits by two people who hear of each other now and then. */
function edits() {
  const people = [person(1), person(2)];
  return Array.from({ length: 24 }, (_, at) => {
    const [doc, other] = at % 2 === 0 ? people : people.toReversed();
    if (at % 5 === 0) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other));
    return change(doc, (note, done) => {
      note.insert((at * 7) % (note.length + 1), `${at} `);
      if (at % 3 === 0) note.delete((at * 5) % note.length, 1);
      done.set(`item ${at % 4}`, at);
    });
  });
}

test("it keeps the laws, to the byte", () => {
  const report = checkResolverLaws(resolver, { operations: edits(), runs: 60 });
  assert.ok(report.ok, report.text);
});

test("what is no update is refused", () => {
  for (const wrong of [{ apply: "text" }, { apply: Uint8Array.of(9, 9, 9) }, {}, null, 5]) {
    assert.throws(() => resolver.checkOperation(wrong), { code: "INVALID_ARGUMENT" });
  }
});

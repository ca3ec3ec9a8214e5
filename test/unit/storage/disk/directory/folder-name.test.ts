import { expect, test } from "vitest";
import { folderNameOf } from "../../../../../src/storage/disk/directory/folder-name.ts";

test.each([
  ["n1", "n1"],
  ["node_2-b", "node_2-b"],
  ["N1", "%4e1"],
  ["eu.west", "eu%2ewest"],
  ["..", "%2e%2e"],
  ["a/b", "a%2fb"],
  ["ä", "%c3%a4"],
  ["con", "%63on"],
  ["com1", "%63om1"],
  ["100%", "100%25"],
])("the node %s has the folder %s", (node, folder) => {
  expect(folderNameOf(node)).toBe(folder);
});

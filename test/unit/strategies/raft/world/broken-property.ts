/** What has to hold in every world did not: that, and no other error, is what a world finds. */
export class BrokenProperty extends Error {
  override readonly name = "BrokenProperty";
}

const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/;

/** `$.items[3].price`, and `$["odd name"]` where a name needs quotes. */
export function formatPath(segments: readonly (string | number)[], root = "$"): string {
  let path = root;
  for (const segment of segments) {
    if (typeof segment === "number") path += `[${segment}]`;
    else if (PLAIN_NAME.test(segment)) path += path === "" ? segment : `.${segment}`;
    else path += `[${JSON.stringify(segment)}]`;
  }
  return path;
}

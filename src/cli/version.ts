import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The version in the package's own manifest, two folders up from here in `src` and `dist` alike. */
export function packageVersion(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const manifest = JSON.parse(readFileSync(join(here, "..", "..", "package.json"), "utf8"));
  return String(manifest.version);
}

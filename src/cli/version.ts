import { readFileSync } from "node:fs";

/** The version in the package's own manifest, two folders up from here in `src` and `dist` alike. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(manifest.version);
}

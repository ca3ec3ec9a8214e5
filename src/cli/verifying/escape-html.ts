const ENTITIES: Readonly<Record<string, string>> = Object.freeze({
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
});

/** Text of anybody, so that it is text in a page: between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  // A page may hold no NUL, and other control characters show as nothing at all.
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
    .replace(/[^\P{Cc}\n\t]/gu, "\uFFFD");
}

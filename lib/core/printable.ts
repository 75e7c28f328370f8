/**
 * A name from a file without control characters and without marks that reorder text, which could
 * make a page or a terminal show something else than what the file holds.
 */
export function printable(name: string): string {
  return name.replace(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

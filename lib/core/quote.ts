/** A name from a model file for a message. */
export function quote(name: string): string {
  const cut = name.length > 120 ? `${name.slice(0, 117)}…` : name
  return JSON.stringify(cut)
}

/**
 * Names for model files: the file's name without its ending, with as many folders before it as it
 * takes to tell the files apart.
 */
export function subjectNames(paths: readonly string[]): string[] {
  const parts = paths.map((path) =>
    path
      .replace(/\.(onnx|safetensors)$/i, '')
      .split(/[/\\]+/)
      .filter((part) => part !== '' && part !== '.'),
  )
  const most = Math.max(...parts.map(({ length }) => length))
  for (let count = 1; count <= most; count++) {
    const names = parts.map((part) => part.slice(-count).join('/'))
    if (new Set(names).size === names.length) return tidy(names)
  }
  // The same file twice.
  return parts.map((part, at) => `${part.at(-1) ?? 'model'} (${at + 1})`)
}

/** `init/model`, `trained/model` → `init`, `trained`: what all have in common at the end goes. */
function tidy(names: string[]): string[] {
  const parts = names.map((name) => name.split('/'))
  const last = parts[0]?.at(-1)
  const all = parts.length > 1 && parts.every((part) => part.length > 1 && part.at(-1) === last)
  return all ? tidy(parts.map((part) => part.slice(0, -1).join('/'))) : names
}

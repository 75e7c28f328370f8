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

/** Bytes of a name that leave room for a suffix and an ending: file systems allow 255. */
const longestName = 200

/**
 * A file name of its own for each name: `/`, `:` and control characters become `_`, what is too long
 * is cut, and names that some file system takes for the same (equal but for case or accents' encoding)
 * get a number.
 */
export function fileNames(names: readonly string[]): Map<string, string> {
  const files = new Map<string, string>()
  const taken = new Set<string>()
  for (const name of names) {
    const plain = cut(name.replace(special, '_')) || '_'
    let file = `${plain}.npy`
    for (let copy = 2; taken.has(folded(file)); copy += 1) file = `${plain}-${copy}.npy`
    taken.add(folded(file))
    files.set(name, file)
  }
  return files
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they come from model files.
const special = /[/:\u0000-\u001f\u007f]/g

/** The beginning, in whole characters. */
function cut(name: string): string {
  let bytes = 0
  let end = 0
  for (const character of name) {
    bytes += Buffer.byteLength(character)
    if (bytes > longestName) break
    end += character.length
  }
  return name.slice(0, end)
}

const folded = (file: string) => file.normalize('NFD').toUpperCase().toLowerCase()

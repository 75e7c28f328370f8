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

// What an earlier run left in a folder, so that nothing of it stands among the results of this one.
import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Removes files of these names that are there: called when new results are about to be written. */
export async function removeEarlier(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(folder, name), { force: true })
}

/** Files that an index of an earlier run lists, and the index itself, which was written last. */
export async function indexedEarlier(folder: string, index: string): Promise<string[]> {
  let entries: unknown
  try {
    entries = JSON.parse(await readFile(join(folder, index), 'utf8'))
  } catch {
    // None there, or none of ours.
    return []
  }
  const files = Array.isArray(entries) ? entries.map((entry) => entry?.file) : []
  // A file of another name, or elsewhere, no run of ours has written.
  const own = files.filter(
    (file): file is string =>
      typeof file === 'string' && file === basename(file) && file.endsWith('.npy'),
  )
  return [index, ...own]
}

import { tensorEntries, tensorsStart } from '../safetensors.js'
import type { ArraySource } from '../source.js'
import { memberOf } from './member.js'
import { opened, storedSource } from './stored.js'

/** @param member which tensor; the only one needs no name. */
export function openTensor(path: string, member?: string): Promise<ArraySource> {
  return opened(path, async (file) => {
    const start = tensorsStart(await file.read(0, Math.min(8, file.size)), file.size, path)
    const { entries } = tensorEntries(await file.read(8, start - 8), file.size - start, path)
    const found = memberOf(entries, ({ name }) => name, path, member)
    return storedSource(file, start + found.begin, found)
  })
}

// Members of a `.npz` file, numpy's ZIP of `.npy` files: stored ones are read where their rows lie,
// compressed ones from their beginning on.
import type { FileEntry } from '@zip.js/zip.js'
import { TangentError } from '../../core/errors.js'
import { decodeNpy, npyDataStart, npyLayout, npyPreamble } from '../npy.js'
import { type ArraySource, sourceOf } from '../source.js'
import { memberOf } from './member.js'
import { atOnce, npyHeaderOf } from './npy.js'
import { ByteReader, sequentialSource } from './sequential.js'
import { type OpenFile, opened, storedSource } from './stored.js'

/** The length of a member's local header up to its two variable parts. */
const localHeader = 30

async function entriesOf(file: OpenFile): Promise<FileEntry[]> {
  const { configure, Reader, ZipReader } = await import('@zip.js/zip.js')
  configure({ useWebWorkers: false })
  class FileReader extends Reader<OpenFile> {
    override async init() {
      this.size = file.size
      await super.init?.()
    }
    override readUint8Array(offset: number, length: number) {
      return file.read(offset, Math.min(length, file.size - offset))
    }
  }
  try {
    const entries = await new ZipReader(new FileReader(file)).getEntries()
    return entries.filter((entry): entry is FileEntry => !entry.directory)
  } catch (cause) {
    throw new TangentError('BAD_FILE', `${file.path} is not a valid .npz file.`, { cause })
  }
}

const nameOf = ({ filename }: FileEntry) => filename.replace(/\.npy$/, '')

/** @param member which array; the only one needs no name. */
export function openNpz(path: string, member?: string): Promise<ArraySource> {
  return opened(path, async (file) => {
    const entry = memberOf(await entriesOf(file), nameOf, path, member)
    const name = `${path}#${nameOf(entry)}`
    if (entry.encrypted) throw new TangentError('BAD_FILE', `${name} is encrypted.`)
    if (entry.compressionMethod === 0) {
      const head = await file.read(entry.offset, localHeader)
      const view = new DataView(head.buffer)
      const start = entry.offset + localHeader + view.getUint16(26, true) + view.getUint16(28, true)
      const size = entry.uncompressedSize
      if (start + size > file.size) throw new TangentError('BAD_FILE', `${name} is truncated.`)
      const data = npyDataStart(await file.read(start, Math.min(npyPreamble, size)), name)
      if (data > size) throw new TangentError('BAD_FILE', `${name} is truncated.`)
      const layout = npyLayout(await file.read(start, data), name, size - data)
      return storedSource(file, start + data, layout)
    }
    const bytes = () => new ByteReader(inflated(entry, name))
    const first = bytes()
    const layout = await npyHeaderOf(first, name)
    await first.close()
    if (layout.fortran && layout.shape.length > 1) {
      if (entry.uncompressedSize <= atOnce) {
        const array = decodeNpy(await bytes().take(entry.uncompressedSize, name), name)
        await file.close()
        return sourceOf(array)
      }
      throw new TangentError(
        'BAD_FILE',
        `${name} is compressed and in Fortran order, whose rows are complete at its end only; write it in C order (numpy.ascontiguousarray) or with numpy.savez.`,
      )
    }
    const begin = async () => {
      const reader = bytes()
      await npyHeaderOf(reader, name)
      return reader
    }
    const source = sequentialSource(begin, layout, { name, again: true })
    return {
      ...source,
      close: async () => {
        await source.close?.()
        await file.close()
      },
    }
  })
}

/** The member's bytes as they are asked for; its checksum is compared at the end. */
async function* inflated(entry: FileEntry, name: string): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const stop = new AbortController()
  const options = { checkSignature: true, signal: stop.signal }
  const done = entry.getData(writable, options).then(
    () => undefined,
    (error: unknown) => error,
  )
  const reader = readable.getReader()
  try {
    for (;;) {
      const { done: end, value } = await reader.read()
      if (end) break
      yield value
    }
    const error = await done
    if (error) throw error
  } catch (cause) {
    throw new TangentError('BAD_FILE', `${name} cannot be read: it is damaged.`, { cause })
  } finally {
    stop.abort()
    await reader.cancel().catch(() => {})
    await done
  }
}

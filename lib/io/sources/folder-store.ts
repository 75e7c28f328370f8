// The folder of a zarr array, with a check that its files are as long as they have to be: zarrita takes
// numbers that are missing at the end of a chunk for zeros.
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AbsolutePath, RangeQuery } from '@zarrita/storage'
import FileSystemStore from '@zarrita/storage/fs'
import { TangentError } from '../../core/errors.js'

export class FolderStore extends FileSystemStore {
  /** Bytes of every chunk of an array that is not compressed. */
  chunkBytes: number | undefined

  override async get(key: AbsolutePath, options?: { signal?: AbortSignal }) {
    const bytes = await super.get(key, options)
    const chunk = !/(^|\/)(zarr\.json|\.z\w+)$/.test(key)
    if (bytes && chunk && this.chunkBytes !== undefined && bytes.length !== this.chunkBytes) {
      throw this.#damaged(key, this.chunkBytes, bytes.length)
    }
    return bytes
  }

  override async getRange(
    key: AbsolutePath,
    range: RangeQuery,
    options?: { signal?: AbortSignal },
  ) {
    const bytes = await super.getRange(key, range, options)
    if (!bytes) return bytes
    const handle = await open(join(this.root, key), 'r')
    try {
      const { size } = await handle.stat()
      const end = 'length' in range ? range.offset + range.length : range.suffixLength
      if (end > size) throw this.#damaged(key, end, size)
      return bytes
    } finally {
      await handle.close()
    }
  }

  #damaged(key: string, need: number, have: number): TangentError {
    const path = join(this.root, key)
    return new TangentError('BAD_FILE', `${path} is truncated: ${have} bytes instead of ${need}.`)
  }
}

interface Metadata {
  zarr_format: number
  codecs?: { name: string }[]
  compressor?: unknown
  filters?: unknown[] | null
}

/** Are the chunks of this array stored as plain numbers? */
export async function isPlain(folder: string): Promise<boolean> {
  for (const name of ['zarr.json', '.zarray']) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (text === undefined) continue
    const { zarr_format: format, codecs, compressor, filters } = JSON.parse(text) as Metadata
    if (format === 2) return compressor === null && (filters ?? []).length === 0
    return (codecs ?? []).every((codec) => codec.name === 'bytes' || codec.name === 'transpose')
  }
  return false
}

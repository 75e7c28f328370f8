// The folder of a zarr array, with a check that its files are as long as they have to be: zarrita takes
// numbers that are missing at the end of a chunk for zeros.
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AbsolutePath, RangeQuery } from '@zarrita/storage'
import FileSystemStore from '@zarrita/storage/fs'
import { TangentError } from '../../core/errors.js'
import { toBfloat16, toFloat16 } from '../ndarray.js'

export class FolderStore extends FileSystemStore {
  /** Bytes of every chunk of an array that is not compressed. */
  chunkBytes: number | undefined
  /** Of an array of such floats, which zarrita is told to be one of their bit patterns. */
  narrow: Narrow | undefined

  override async get(key: AbsolutePath, options?: { signal?: AbortSignal }) {
    const bytes = await super.get(key, options)
    const chunk = !/(^|\/)(zarr\.json|\.z\w+)$/.test(key)
    if (bytes && /(^|\/)(zarr\.json|\.zarray)$/.test(key)) return this.#asBits(bytes)
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

  #asBits(bytes: Uint8Array): Uint8Array {
    const metadata = parsed(bytes)
    const type = metadata.data_type ?? metadata.dtype
    const [, order = '<', name] = /^([<>])?(f2|float16|bfloat16)$/.exec(String(type)) ?? []
    if (name === undefined) return bytes
    this.narrow = name === 'bfloat16' ? 'bfloat16' : 'float16'
    const bits = metadata.zarr_format === 2 ? { dtype: `${order}u2` } : { data_type: 'uint16' }
    const fill = bitsOf(metadata.fill_value, this.narrow)
    return Buffer.from(JSON.stringify({ ...metadata, ...bits, fill_value: fill }))
  }

  #damaged(key: string, need: number, have: number): TangentError {
    const path = join(this.root, key)
    return new TangentError('BAD_FILE', `${path} is truncated: ${have} bytes instead of ${need}.`)
  }
}

/** Floats that have no typed array of their own. */
export type Narrow = 'float16' | 'bfloat16'

function parsed(bytes: Uint8Array): Metadata & Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    // zarrita says what is wrong with it.
    return { zarr_format: 0 }
  }
}

/** A fill value, a number or its name or bits in words, as bits. */
function bitsOf(fill: unknown, type: Narrow): number {
  if (typeof fill === 'string' && fill.startsWith('0x')) return Number(fill)
  const value = [fill === null || fill === undefined ? 0 : Number(fill)]
  return (type === 'float16' ? toFloat16(value) : toBfloat16(value))[0] as number
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

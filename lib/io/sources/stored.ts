// Rows that lie in a file as plain numbers: read where they are.

import { type FileHandle, open } from 'node:fs/promises'
import { TangentError } from '../../core/errors.js'
import { shapeSize } from '../../core/shape.js'
import {
  allocate,
  bytesPerElement,
  type DType,
  fromBytes,
  type NdArray,
  type StoredType,
} from '../ndarray.js'
import { checkPath, reason } from '../reasons.js'
import { type ArraySource, checkRows, rowSize } from '../source.js'

/** How numbers lie in a file. */
export interface FileLayout {
  type: StoredType
  shape: number[]
  bigEndian?: boolean
  fortran?: boolean
}

/** The type of the numbers once they are read. */
export function dtypeRead(type: StoredType): DType {
  return type === 'float16' || type === 'bfloat16' ? 'float32' : type
}

/** Numbers from the bytes of a file. */
export function fromStored(
  bytes: Uint8Array,
  { type, bigEndian = false }: FileLayout,
  shape: number[],
): NdArray {
  const array = fromBytes(bytes, type, shape, { bigEndian })
  if (array.boolean) array.data = (array.data as Uint8Array).map((entry) => (entry === 0 ? 0 : 1))
  return array
}

const piece = 1 << 26

/** A file that is read at places; its errors are in words. */
export class OpenFile {
  readonly path: string
  readonly size: number
  readonly #handle: FileHandle

  private constructor(path: string, handle: FileHandle, size: number) {
    this.path = path
    this.#handle = handle
    this.size = size
  }

  static async open(path: string): Promise<OpenFile> {
    checkPath(path)
    try {
      const handle = await open(path, 'r')
      const found = await handle.stat()
      if (found.isFile()) return new OpenFile(path, handle, found.size)
      await handle.close()
    } catch (error) {
      throw new TangentError('BAD_FILE', `Cannot read ${path}: ${reason(error)}.`, { cause: error })
    }
    throw new TangentError('BAD_FILE', `${path} is not a file.`)
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(allocate(length, this.path))
    for (let at = 0; at < length; ) {
      const most = Math.min(piece, length - at)
      const { bytesRead } = await this.#handle.read(bytes, at, most, offset + at)
      if (bytesRead === 0) {
        throw new TangentError('BAD_FILE', `${this.path} ended while it was read.`)
      }
      at += bytesRead
    }
    return bytes
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

/** Opens a file for as long as something is made of it, and closes it if that fails. */
export async function opened<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await OpenFile.open(path)
  try {
    return await use(file)
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Rows from `start` on in a file. */
export function storedSource(file: OpenFile, start: number, layout: FileLayout): ArraySource {
  const { type, shape } = layout
  const [length = 1, ...rest] = shape
  const width = bytesPerElement(type)
  const size = rowSize(layout)
  const source: ArraySource = {
    length,
    shape,
    dtype: dtypeRead(type),
    rows: async (first, count) => {
      checkRows(source, first, count)
      const own = shape.length === 0 ? [] : [count, ...rest]
      const bytes =
        layout.fortran && shape.length > 1
          ? await columns(file, start, { first, count, length, width, rest })
          : await file.read(start + first * size * width, count * size * width)
      return fromStored(bytes, layout, own)
    },
    close: () => file.close(),
  }
  return source
}

interface Columns {
  first: number
  count: number
  length: number
  width: number
  rest: readonly number[]
}

/** Rows of an array in Fortran order, each of whose columns lies together, in C order. */
async function columns(
  file: OpenFile,
  start: number,
  { first, count, length, width, rest }: Columns,
): Promise<Uint8Array> {
  const size = shapeSize(rest)
  const bytes = new Uint8Array(allocate(count * size * width, file.path))
  const index = rest.map(() => 0)
  for (let column = 0; column < size; column += 1) {
    const part = await file.read(start + (column * length + first) * width, count * width)
    const to = index.reduce((at, i, d) => at * (rest[d] as number) + i, 0)
    for (let row = 0; row < count; row += 1) {
      const from = part.subarray(row * width, (row + 1) * width)
      bytes.set(from, (row * size + to) * width)
    }
    // The first of the other axes runs fastest.
    for (let d = 0; d < rest.length; d += 1) {
      index[d] = (index[d] as number) + 1
      if ((index[d] as number) < (rest[d] as number)) break
      index[d] = 0
    }
  }
  return bytes
}

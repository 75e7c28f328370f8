// Rows that come in order only, kept in a temporary file so that they can be asked for in any order.
import { closeSync, mkdtempSync, openSync, read, rmSync, write } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { badArgument, mismatch } from '../core/errors.js'
import { allocate, type DType, dtypeOf, fromBytes, type NdArray, toBytes } from './ndarray.js'
import { type ArraySource, checkRows, rowBytes, rowsOf } from './source.js'

const reading = promisify(read)
const writing = promisify(write)

/** A file without a name: it goes with its last reader, whatever becomes of the process. */
class Spool {
  readonly fd: number

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'adaptive-tangent-'))
    try {
      this.fd = openSync(join(folder, 'rows'), 'w+')
    } finally {
      rmSync(folder, { recursive: true })
    }
    unused.register(this, this.fd)
  }

  async write(bytes: Uint8Array, at: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await writing(this.fd, bytes, done, bytes.length - done, at + done)
      done += bytesWritten
    }
  }

  async read(at: number, length: number, name: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(allocate(length, name))
    for (let done = 0; done < length; ) {
      const { bytesRead } = await reading(this.fd, bytes, done, length - done, at + done)
      if (bytesRead === 0) throw mismatch(name, `${length} bytes in its temporary file`, `${done}`)
      done += bytesRead
    }
    return bytes
  }
}

const unused = new FinalizationRegistry((fd: number) => closeSync(fd))

/** Blocks of rows that come once, kept. */
async function keptRows(blocks: AsyncIterable<NdArray>, name: string): Promise<ArraySource> {
  const spool = new Spool()
  let first: { dtype: DType; rest: number[] } | undefined
  let length = 0
  let end = 0
  for await (const block of blocks) {
    if (!ArrayBuffer.isView(block?.data) || !Array.isArray(block.shape)) {
      throw badArgument(name, 'blocks of rows { data, shape }', block)
    }
    const [rows = 0, ...rest] = block.shape
    const dtype = dtypeOf(block)
    first ??= { dtype, rest }
    if (dtype !== first.dtype || rest.join() !== first.rest.join() || block.shape.length === 0) {
      const wanted = `blocks (rows${first.rest.map((size) => `, ${size}`).join('')}) of ${first.dtype}`
      throw mismatch(name, wanted, `(${block.shape.join(', ')}) of ${dtype}`)
    }
    const bytes = toBytes(block)
    await spool.write(bytes, end)
    end += bytes.length
    length += rows
  }
  if (!first) throw badArgument(name, 'at least one block of rows', 'none')
  const { dtype, rest } = first
  const shape = [length, ...rest]
  const bytes = rowBytes({ shape, dtype })
  const source: ArraySource = {
    length,
    shape,
    dtype,
    rows: async (from, count) => {
      checkRows(source, from, count)
      const own = await spool.read(from * bytes, count * bytes, name)
      return fromBytes(own, dtype, [count, ...rest])
    },
  }
  return source
}

/** Bytes of one block of a source that is kept. */
const blockBytes = 1 << 24

async function* blocksOf(source: ArraySource, name: string): AsyncGenerator<NdArray> {
  const count = Math.max(1, Math.floor(blockBytes / Math.max(1, rowBytes(source))))
  for (let first = 0; first < source.length; first += count) {
    yield await rowsOf(source, first, Math.min(count, source.length - first), name)
  }
}

const kept = new WeakMap<object, Promise<ArraySource>>()

export function isIterable(value: unknown): value is AsyncIterable<NdArray> {
  return typeof (value as AsyncIterable<NdArray> | undefined)?.[Symbol.asyncIterator] === 'function'
}

/** The same rows in any order, as often as they are asked for; read once for all calls. */
export function inAnyOrder(
  rows: ArraySource | AsyncIterable<NdArray>,
  name: string,
): ArraySource | Promise<ArraySource> {
  if (!isIterable(rows) && !rows.inOrder) return rows
  let all = kept.get(rows)
  if (!all) {
    all = keptRows(isIterable(rows) ? rows : blocksOf(rows, name), name)
    kept.set(rows, all)
  }
  return all
}

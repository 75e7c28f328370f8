import { close, fstatSync, open, read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { TangentError } from '../core/errors.js'
import { allocate } from './ndarray.js'
import { checkPath, reason } from './reasons.js'

const opened = promisify(open)
const closed = promisify(close)
const readInto = promisify(read)

// One read call moves at most 2^31 - 1 bytes; a smaller piece keeps aborts quick.
const piece = 1 << 26
/** As many bytes are read in less time than it takes to hear from another thread. */
const few = 1 << 20

/** Reads a whole regular file, or `length` bytes of it from `offset`, checked against its size. */
export async function readBytes(
  path: string,
  range?: { offset: number; length?: number },
): Promise<Uint8Array<ArrayBuffer>> {
  checkPath(path)
  let fd: number | undefined
  try {
    fd = await opened(path, 'r')
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new TangentError('BAD_FILE', `${path} is not a file.`)
    const offset = range?.offset ?? 0
    const length = range?.length ?? stat.size - offset
    if (offset < 0 || length < 0 || offset + length > stat.size) {
      throw new TangentError(
        'BAD_FILE',
        `${path} has ${stat.size} bytes, but ${length} at ${offset} are asked for.`,
      )
    }
    const bytes = new Uint8Array(allocate(length, path))
    for (let at = 0; at < length; ) {
      const size = Math.min(piece, length - at)
      const count =
        size <= few
          ? readSync(fd, bytes, at, size, offset + at)
          : (await readInto(fd, bytes, at, size, offset + at)).bytesRead
      if (count === 0) throw new TangentError('BAD_FILE', `${path} ended while it was read.`)
      at += count
    }
    return bytes
  } catch (error) {
    if (error instanceof TangentError) throw error
    throw new TangentError('BAD_FILE', `Cannot read ${path}: ${reason(error)}.`, { cause: error })
  } finally {
    // Nobody waits for it: all is read.
    if (fd !== undefined) closed(fd).catch(() => {})
  }
}

import { type FileHandle, open } from 'node:fs/promises'
import { TangentError } from '../core/errors.js'
import { allocate } from './ndarray.js'
import { checkPath, reason } from './reasons.js'

// One read call moves at most 2^31 - 1 bytes; a smaller piece keeps aborts quick.
const piece = 1 << 26

/** Reads a whole regular file, or `length` bytes of it from `offset`, checked against its size. */
export async function readBytes(
  path: string,
  range?: { offset: number; length?: number },
): Promise<Uint8Array<ArrayBuffer>> {
  checkPath(path)
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    const stat = await handle.stat()
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
      const { bytesRead } = await handle.read(bytes, at, Math.min(piece, length - at), offset + at)
      if (bytesRead === 0) throw new TangentError('BAD_FILE', `${path} ended while it was read.`)
      at += bytesRead
    }
    return bytes
  } catch (error) {
    if (error instanceof TangentError) throw error
    throw new TangentError('BAD_FILE', `Cannot read ${path}: ${reason(error)}.`, { cause: error })
  } finally {
    await handle?.close()
  }
}

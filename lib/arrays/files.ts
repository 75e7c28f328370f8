import { randomBytes } from 'node:crypto'
import { unlinkSync } from 'node:fs'
import { type FileHandle, open, realpath, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TangentError } from '../errors.js'
import { allocate } from './ndarray.js'

// One write or read call moves at most 2^31 - 1 bytes; a smaller piece keeps aborts quick.
const piece = 1 << 26

/** "no such file", "permission denied", …: the reason of a file system error in words. */
function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file or folder'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'ENOSPC') return 'the disk is full'
  return message ?? String(error)
}

/** Reads a whole regular file, or `length` bytes of it from `offset`, checked against its size. */
export async function readBytes(
  path: string,
  range?: { offset: number; length?: number },
): Promise<Uint8Array<ArrayBuffer>> {
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

const unfinished = new Set<string>()

function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      unlinkSync(path)
    } catch {
      // It was renamed or removed meanwhile.
    }
  }
  unfinished.clear()
}

/**
 * Writes a file whole or not at all: into a temporary file in the same folder, then a rename. The
 * parts are written one after another, without joining them in memory. On failure, abort or exit
 * of the process the temporary file is removed and what stood at `path` before is untouched.
 */
export async function writeFileAtomic(
  path: string,
  parts: string | Uint8Array | readonly (string | Uint8Array)[],
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  options.signal?.throwIfAborted()
  // A link stays a link: the file that it points to is replaced.
  const target = await realpath(path).catch(() => path)
  const name = `.${basename(target)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`
  const temporary = join(dirname(target), name)
  if (unfinished.size === 0) process.once('exit', removeUnfinished)
  unfinished.add(temporary)
  try {
    const handle = await open(temporary, 'wx')
    try {
      for (const part of typeof parts === 'string' || parts instanceof Uint8Array
        ? [parts]
        : parts) {
        const bytes = typeof part === 'string' ? Buffer.from(part) : part
        for (let at = 0; at < bytes.length; ) {
          options.signal?.throwIfAborted()
          const length = Math.min(piece, bytes.length - at)
          at += (await handle.write(bytes, at, length)).bytesWritten
        }
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    options.signal?.throwIfAborted()
    await rename(temporary, target)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    if (error instanceof TangentError || options.signal?.aborted) throw error
    throw new TangentError('FAILED', `Cannot write ${path}: ${reason(error)}.`, { cause: error })
  } finally {
    unfinished.delete(temporary)
    if (unfinished.size === 0) process.removeListener('exit', removeUnfinished)
  }
}

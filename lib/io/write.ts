import { type FileHandle, open, rename, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { checkPath, reason } from './reasons.js'
import { type Destination, destinationOf, isReplaced, writeInto } from './special.js'
import { clearLeftOver, settled, temporaryFor } from './unfinished.js'

/** One write call moves at most 2^31 - 1 bytes; a smaller piece keeps aborts quick. */
const piece = 1 << 26

type Part = string | Uint8Array
type Parts = Iterable<Part> | AsyncIterable<Part>

async function* pieces(parts: Parts, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    for (let at = 0; at < bytes.length; at += piece) {
      signal?.throwIfAborted()
      yield bytes.subarray(at, at + piece)
    }
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten
  }
}

/** What does not fit on the disk is refused before it is full, and before hours of work. */
async function checkRoom(folder: string, size: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder)
  const free = bavail * bsize
  // Some systems of files tell no sizes.
  if (blocks === 0 || size <= free) return
  throw new TangentError(
    'FAILED',
    `Expected room for ${formatBytes(size)} in ${folder} but only ${formatBytes(free)} are free there`,
  )
}

export interface WriteOptions {
  signal?: AbortSignal | undefined
  /** Bytes of all parts, where they are known before they come. */
  size?: number | undefined
}

async function replace(
  { path, found }: Destination,
  parts: AsyncIterable<Uint8Array>,
  { signal, size = 0 }: WriteOptions,
): Promise<void> {
  await clearLeftOver(dirname(path))
  await checkRoom(dirname(path), size)
  const temporary = temporaryFor(path)
  try {
    const handle = await open(temporary, 'wx')
    try {
      // A file that others may not read stays so.
      if (found) await handle.chmod(found.mode & 0o777)
      for await (const bytes of parts) await writeAll(handle, bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    signal?.throwIfAborted()
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  } finally {
    settled(temporary)
  }
}

/**
 * Writes a file whole or not at all: into a temporary file in the same folder, then a rename. The
 * parts are written one after another as they come, without joining them in memory. On failure, abort or exit
 * of the process the temporary file is removed and what stood at `path` before is untouched; what
 * a killed process left there goes with the next write into the folder. A link stays a link: the
 * file that it points to is replaced. What is not a regular file (a device, a FIFO, /dev/stdout) is
 * written into.
 * @throws TangentError FAILED
 */
export async function writeFileAtomic(
  path: string,
  parts: Part | Parts,
  options: WriteOptions = {},
): Promise<void> {
  checkCall(options)
  const { signal } = options
  checkPath(path)
  signal?.throwIfAborted()
  const list = typeof parts === 'string' || parts instanceof Uint8Array ? [parts] : parts
  try {
    const destination = await destinationOf(path)
    const bytes = pieces(list, signal)
    if (isReplaced(destination)) await replace(destination, bytes, options)
    else await writeInto(destination, bytes, signal)
  } catch (error) {
    if (error instanceof TangentError || signal?.aborted) throw error
    throw new TangentError('FAILED', `Cannot write ${path}: ${reason(error)}.`, { cause: error })
  }
}

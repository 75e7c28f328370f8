// Files without a name, which onnxruntime writes into: nobody has to remove them.
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { TangentError } from '../core/errors.js'

export interface NamelessFile {
  /** By which this process can open the file. */
  path: string
  /** All that was written. */
  read(): Uint8Array
  close(): void
}

/** Files up to this size are kept in memory: onnxruntime waits until the disk has all that it wrote. */
const small = 4 * 2 ** 20

/**
 * @param bytes about as many as will be written
 * @throws TangentError FAILED where there is no place for one.
 */
export function namelessFile(bytes: number): NamelessFile {
  const fd = openNameless(bytes < small ? ['/dev/shm', tmpdir()] : [tmpdir(), '/dev/shm'])
  const folder = process.platform === 'linux' ? '/proc/self' : '/dev'
  return { path: `${folder}/fd/${fd}`, read: () => readAll(fd), close: () => closeSync(fd) }
}

/** For a moment, in which nobody else's is opened. Node's cryptography, for one that nobody guesses, takes 3 ms to load. */
function passingName(): string {
  const random = Math.random().toString(36).slice(2)
  return `.adaptive-tangent-${process.pid}-${threadId}-${random}.tmp`
}

function openNameless(folders: readonly string[]): number {
  let cause: unknown
  for (const folder of folders) {
    const path = join(folder, passingName())
    try {
      const fd = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
      return fd
    } catch (error) {
      cause ??= error
    }
  }
  throw new TangentError('FAILED', `Cannot write a temporary file in ${tmpdir()}`, { cause })
}

function readAll(fd: number): Uint8Array {
  const bytes = new Uint8Array(fstatSync(fd).size)
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(fd, bytes, at, bytes.length - at, at)
    if (count === 0) return bytes.subarray(0, at)
    at += count
  }
  return bytes
}

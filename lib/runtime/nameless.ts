// Files without a name, which onnxruntime writes into: nobody has to remove them.
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TangentError } from '../core/errors.js'
import { settled, temporaryFor } from '../io/unfinished.js'

export interface NamelessFile {
  /** By which this process can open the file. */
  path: string
  /** All that was written. */
  read(): Uint8Array
  close(): void
}

/** @throws TangentError FAILED where there is no place for one. */
export function namelessFile(): NamelessFile {
  const fd = openNameless()
  const folder = process.platform === 'linux' ? '/proc/self' : '/dev'
  return { path: `${folder}/fd/${fd}`, read: () => readAll(fd), close: () => closeSync(fd) }
}

function openNameless(): number {
  let cause: unknown
  for (const folder of [tmpdir(), '/dev/shm']) {
    const path = temporaryFor(join(folder, 'nameless'))
    try {
      const fd = openSync(path, 'wx+', 0o600)
      unlinkSync(path)
      return fd
    } catch (error) {
      cause ??= error
    } finally {
      settled(path)
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

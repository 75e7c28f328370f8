// Where a path leads to, and writing into what is no regular file: devices, FIFOs, descriptors.
import { createWriteStream, constants as flags, fstat, open, type Stats } from 'node:fs'
import { readlink, realpath, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { dirname, resolve } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What a path leads to when all links are followed. */
export interface Destination {
  path: string
  /** Of this process, where the path stands for one: /dev/stdout is 1. */
  descriptor?: number
  /** What is there; undefined for a file that is yet to be made. */
  found: Stats | undefined
}

const standard: Record<string, number> = { '/dev/stdin': 0, '/dev/stdout': 1, '/dev/stderr': 2 }

/** The descriptor of this process that a path stands for by its name. */
export function descriptorOf(path: string): number | undefined {
  const absolute = resolve(path)
  const match = /^\/(?:dev|proc\/(self|thread-self|\d+))\/fd\/(\d{1,9})$/.exec(absolute)
  if (!match) return standard[absolute]
  const [, process_ = 'self', descriptor] = match
  const own = /^\D/.test(process_) || Number(process_) === process.pid
  return own ? Number(descriptor) : undefined
}

/** Follows links one by one: one that points to nothing yet leads to a file all the same. */
export async function destinationOf(path: string): Promise<Destination> {
  let at = resolve(path)
  for (let links = 0; links < 40; links += 1) {
    const descriptor = descriptorOf(at)
    if (descriptor !== undefined) {
      return { path: at, descriptor, found: await promisify(fstat)(descriptor) }
    }
    const next = await readlink(at).catch(() => undefined)
    if (next === undefined) return { path: at, found: await stat(at).catch(() => undefined) }
    at = resolve(await realpath(dirname(at)), next)
  }
  throw Object.assign(new Error(), { code: 'ELOOP' })
}

/** Is what is there replaced as a whole? All else is written into. */
export function isReplaced({ descriptor, found }: Destination): boolean {
  return descriptor === undefined && (found === undefined || found.isFile())
}

const openFile = promisify(open)

/** A FIFO is open as soon as somebody reads it; waiting for that must not hold up a thread. */
async function openFifo(path: string, signal: AbortSignal | undefined): Promise<Writable> {
  for (;;) {
    signal?.throwIfAborted()
    try {
      const fd = await openFile(path, flags.O_WRONLY | flags.O_NONBLOCK)
      return new Socket({ fd, readable: false, writable: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await setTimeout(50)
  }
}

interface Opened {
  stream: Writable
  /** Is the stream this module's to end? */
  end: boolean
}

/** A descriptor that the process was given; it stays open, and a file goes on where it stands. */
async function openDescriptor(descriptor: number, found: Stats | undefined): Promise<Opened> {
  if (found?.isFIFO()) {
    // Opened again, so that a slow reader does not hold up this thread as Node's own stream does.
    const fd = await openFile(`/dev/fd/${descriptor}`, flags.O_WRONLY | flags.O_NONBLOCK).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENXIO') throw Object.assign(new Error(), { code: 'EPIPE' })
        return undefined
      },
    )
    if (fd !== undefined) {
      return { stream: new Socket({ fd, readable: false, writable: true }), end: true }
    }
  }
  if (!found?.isFile() && descriptor === 1) return { stream: process.stdout, end: false }
  if (!found?.isFile() && descriptor === 2) return { stream: process.stderr, end: false }
  return { stream: createWriteStream('', { fd: descriptor, autoClose: false }), end: true }
}

async function openInto(
  { path, descriptor, found }: Destination,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  if (descriptor !== undefined) return openDescriptor(descriptor, found)
  if (found?.isFIFO()) return { stream: await openFifo(path, signal), end: true }
  return { stream: createWriteStream('', { fd: await openFile(path, flags.O_WRONLY) }), end: true }
}

/** Writes one part after another into a device, a FIFO or a descriptor. */
export async function writeInto(
  destination: Destination,
  parts: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (destination.found?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
  const { stream, end } = await openInto(destination, signal)
  await pipeline(Readable.from(parts), stream, { end, ...(signal ? { signal } : {}) })
}

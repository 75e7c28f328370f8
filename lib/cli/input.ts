// Arrays that a command line names: files by their endings, `-` (standard input) and FIFOs by what comes.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import {
  type ArraySource,
  decodeTensor,
  isNpy,
  type NdArray,
  openArray,
  readBytes,
  sourceOf,
  wholeOf,
} from '../io/index.js'
import { type CsvNumbers, csvOf } from '../io/sources/csv.js'
import { streamedNpy } from '../io/sources/npy.js'
import { pipes } from './pipes.js'

export const streamFormats = ['npy', 'pb', 'csv'] as const
export type StreamFormat = (typeof streamFormats)[number]

export const inputFormatOption = () =>
  new Option(
    '--input-format <kind>',
    'what standard input or a FIFO holds (default: npy or pb, told by its first bytes)',
  ).choices(streamFormats)

/** How an array is to be read. */
export interface Reading {
  /** Of a CSV file, which does not say it. */
  numbers?: CsvNumbers
  /** Of what has no name that tells it. */
  format?: StreamFormat | undefined
  /** Are the rows to be read more than once? Then those of a pipe are kept. */
  again?: boolean
}

let taken = false
/** Files that the command has opened. */
const sources = new Set<ArraySource>()

/** Closes them, whatever became of the command. */
export async function closeFiles(): Promise<void> {
  const all = [...sources]
  sources.clear()
  for (const source of all) await source.close?.()
}

/** Opens a file, standard input (`-`) or a FIFO as rows; those of a pipe come once, in order. */
export async function openGiven(path: string, reading: Reading = {}): Promise<ArraySource> {
  if (path !== '-') {
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFIFO()) {
      const source = await openArray(path, { numbers: reading.numbers })
      sources.add(source)
      return source
    }
    return streamed(createReadStream(path), path, reading)
  }
  if (taken) {
    throw new TangentError('BAD_ARGUMENT', "Expected '-', standard input, for one array only")
  }
  taken = true
  return streamed(process.stdin, 'standard input', reading)
}

/** The same as one array. */
export async function readGiven(path: string, reading: Reading = {}): Promise<NdArray> {
  const source = await openGiven(path, reading)
  try {
    return await wholeOf(source, path === '-' ? 'standard input' : path)
  } finally {
    await source.close?.()
  }
}

/** The lines of a text file. */
export async function readLines(path: string): Promise<string[]> {
  const text = new TextDecoder().decode(await readBytes(path))
  return text.replace(/\r?\n$/, '').split(/\r?\n/)
}

async function streamed(stream: Readable, name: string, reading: Reading): Promise<ArraySource> {
  pipes.add(stream)
  const source = await streamOf(stream, name, reading)
  return reading.again ? sourceOf(await wholeOf(source, name)) : source
}

async function streamOf(
  stream: AsyncIterable<Buffer>,
  name: string,
  { format, numbers }: Reading,
): Promise<ArraySource> {
  const iterator = stream[Symbol.asyncIterator]()
  const begun: Uint8Array[] = []
  let length = 0
  while (length < 6) {
    const { done, value } = await iterator.next()
    if (done) break
    begun.push(value)
    length += value.length
  }
  const all = async function* (): AsyncGenerator<Uint8Array> {
    yield* begun
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  const kind = format ?? (isNpy(Buffer.concat(begun)) ? 'npy' : 'pb')
  if (kind === 'npy') return streamedNpy(all(), name)
  const chunks: Uint8Array[] = []
  for await (const chunk of all()) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return kind === 'csv' ? csvOf(bytes, name, numbers) : sourceOf(decodeTensor(bytes, name))
}

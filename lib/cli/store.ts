// Results that go to a store: `--store`, in commands that make one and in `worker`.
import { stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import type { Network } from '../network/network.js'
import { isBucket } from '../store/bucket.js'
import type { StoreRequest } from '../store/calls.js'
import { type StoreRounding, type StoreType, storeTypes } from '../store/rounding.js'
import type { StoreEstimate } from '../store/status.js'
import { createStore, openStore, type Store } from '../store/store.js'
import type { WorkReport } from '../store/work.js'
import { type NetworkOptions, withNetwork } from './command.js'
import { type CommonOptions, type Session, wholeNumber } from './define.js'
import { type NumberOptions, saidNumbers } from './normalize.js'
import { duration, progressDisplay } from './progress.js'
import { openInputs, placedInputs } from './samples.js'

/** Options of commands that fill a store. */
export interface StoreOptions extends CommonOptions {
  store?: string
  plan?: boolean
  status?: boolean
  tile?: number
  half?: boolean
  dtype?: StoreType
  lease?: number
  queue?: string
}

/** Options of a command whose result has a row of arrays for each sample. */
export interface RowsOptions extends NetworkOptions, StoreOptions {
  input: string[]
  outputs?: number[]
  nonFinite: 'throw' | 'return'
  out?: string
}

export const storeOptions = () => [
  new Option(
    '--store <folder>',
    'a zarr array (or s3://BUCKET/NAME) in place of --out, tile by tile: larger than memory; the same command again goes on',
  ),
  new Option('--plan', 'with --store: make it and tell what it will take; nothing is computed'),
  new Option('--status', 'with --store: tell what is done'),
  new Option('--tile <samples>', 'with --store: samples a side of a tile').argParser(
    wholeNumber(1),
  ),
  new Option('--half', 'with --store: of a symmetric kernel one half, the other reads as NaN'),
  new Option(
    '--dtype <type>',
    'with --store: numbers on disk (default: float32); the error of rounding is told, a number beyond the range ends the work',
  ).choices(storeTypes),
  leaseOption(),
  queueOption(),
]

export const leaseOption = () =>
  new Option(
    '--lease <seconds>',
    'with a store: a worker that gives no sign for so long is taken for dead (default: 30)',
  ).argParser((text) => {
    const value = Number(text)
    if (value >= 0.2 && value < 1e6) return value
    throw new InvalidArgumentError('Expected a number of seconds ≥ 0.2.')
  })

export const queueOption = () =>
  new Option(
    '--queue <address>',
    'with a store: tasks as jobs of BullMQ on a Redis, redis://HOST:PORT (default: the variable ADAPTIVE_TANGENT_QUEUE), in place of leases',
  ).env('ADAPTIVE_TANGENT_QUEUE')

/** How a command line reads the samples of a store, wherever it runs. */
export interface Origin {
  /** Where the store was: files may have moved along with it. */
  store: string
  input: string[]
  input2?: string[]
  /** Weights of each sample's outputs. */
  heads?: string
  /** What their numbers stand for. */
  numbers: NumberOptions
}

/** @throws TangentError BAD_ARGUMENT for options of stores without one. */
export function checkStoreOptions(options: StoreOptions & { out?: string }): void {
  const { store, out } = options
  const wrong = (message: string) => new TangentError('BAD_ARGUMENT', message)
  if (store === undefined) {
    for (const name of ['plan', 'status', 'tile', 'half', 'dtype', 'lease'] as const) {
      if (options[name] !== undefined) throw wrong(`Expected --store together with --${name}`)
    }
    if (out === undefined) throw wrong('Expected --out or --store but received neither')
    return
  }
  if (out !== undefined) throw wrong('Expected one of --out and --store but received both')
  if (options.plan && options.status) throw wrong('Expected one of --plan and --status')
}

/** `--status`. */
export async function tellStatus(
  session: Session,
  path: string,
  { queue: address }: StoreOptions,
): Promise<void> {
  const store = await openStore(path)
  const status = await store.status({ signal: session.signal, queue: address })
  const { done, tiles, bytes, queue, rounding } = status
  session.say(
    `${path}: ${done} of ${tiles} tiles are there (${percent(done, tiles)}), ${formatBytes(bytes)} in all`,
  )
  if (queue) {
    const { waiting, active, failed, workers, completed } = queue
    const [last = 0] = completed
    session.say(
      `queue   ${waiting} tasks wait, ${active} are computed, ${failed} have failed; ${workers} workers, ${last} tasks completed in the last minute`,
    )
  }
  if (rounding) session.say(roundingLine(rounding, tiles))
  session.result({
    store: path,
    done,
    tiles,
    bytes,
    ...(queue && { queue }),
    ...(rounding && { rounding }),
  })
}

const percent = (part: number, whole: number) => `${Math.floor((100 * part) / whole)} %`

/** What a command asks a store for, and the texts that name the samples. */
export interface StoreCall {
  network: Network
  request: StoreRequest
  input: readonly string[]
  input2?: readonly string[] | undefined
  /** The file of weights of each sample's outputs. */
  heads?: string | undefined
  /** What is told of the whole result in addition. */
  more?: (() => Promise<object>) | undefined
}

/** The call of a command whose rows go to a store. */
export async function rowsToStore(
  session: Session,
  model: string,
  options: RowsOptions & { store: string },
  kind: 'jacobian' | 'features',
): Promise<void> {
  if (options.status) return tellStatus(session, options.store, options)
  await withNetwork(model, options, {}, async (network) => {
    const { input, outputs, nonFinite, threads, memory } = options
    const x = await openInputs(input, network, options)
    const request = { kind, x, outputs, nonFinite, threads, memory } as const
    await fillStore(session, options, { network, request, input })
  })
}

/** Makes or opens the store, tells what it will take, and fills it unless only a plan is wanted. */
export async function fillStore(
  session: Session,
  options: StoreOptions & NumberOptions & { store: string },
  { network, request, input, input2, heads, more }: StoreCall,
): Promise<void> {
  const { signal } = session
  const path = options.store
  const origin: Origin = {
    store: isBucket(path) ? path : resolve(path),
    input: await placedInputs(input, network, absolute),
    ...(input2 ? { input2: await placedInputs(input2, network, absolute) } : {}),
    ...(heads === undefined ? {} : { heads: await absolute(heads, '--head') }),
    numbers: saidNumbers(options),
  }
  const { tile, half, dtype } = options
  const store = await createStore(path, network, request, { tile, half, dtype, signal, origin })
  try {
    const estimate = await store.estimate({ signal })
    session.say(...inWords(store, estimate))
    checkRoom(store, estimate)
    const { tiles } = estimate
    const told = { store: path, ...estimate }
    if (options.plan) return session.result(told)
    const shapes = store.manifest.grid.arrays.map(({ shape }) => shape)
    const report = await watchedWork(session, options, store)
    sayComplete(session, path, report)
    const added = await more?.()
    session.result({ ...told, done: tiles, missing: 0, ...report, shape: shapes[0], ...added })
  } finally {
    await store.close()
  }
}

export function sayComplete(session: Session, path: string, report: WorkReport): void {
  const { computed, tiles, rounding } = report
  session.say(`${path} is complete: ${computed} of ${tiles} tiles computed here`)
  if (rounding) session.say(roundingLine(rounding, tiles))
}

/** What rounding has done to the numbers of a store. */
function roundingLine(
  { dtype, relative, largest, vanished, tiles }: StoreRounding,
  all: number,
): string {
  const some = tiles < all ? `, measured on ${tiles} of ${all} tiles` : ''
  const gone = vanished === 0 ? '' : `; ${vanished} numbers became 0`
  return `rounding to ${dtype}: off by ${relative.toPrecision(2)} (relative, root mean square), ${largest.toPrecision(2)} at most${gone}${some}`
}

/** Works with progress. */
export async function watchedWork(session: Session, options: StoreOptions, store: Store) {
  const display = progressDisplay(options)
  let done = false
  try {
    const report = await store.work({
      signal: session.signal,
      lease: options.lease,
      queue: options.queue,
      ...(display ? { onProgress: display.update } : {}),
    })
    done = true
    return report
  } finally {
    display?.stop(done)
  }
}

function inWords({ path, manifest }: Store, estimate: StoreEstimate): string[] {
  const { grid, threads, methods } = manifest
  const { done, tiles, bytes, missing, disk, memory, free, seconds, rounding } = estimate
  const shapes = grid.arrays.map(({ shape }) => `(${shape.join(', ')})`)
  const what = shapes.length === 1 ? `an array ${shapes[0]}` : `${shapes.length} arrays`
  const there = done === 0 ? '' : `, of which ${done} are there`
  const blocks = disk > missing ? ` (${formatBytes(disk)} in whole blocks)` : ''
  const room = free === null ? '' : `; ${formatBytes(free)} are free`
  return [
    `${path}: ${what} in ${tiles} tiles of ${grid.size} samples a side${there}`,
    `disk    ${formatBytes(bytes)}, ${formatBytes(missing)} of it still to write${blocks}${room}`,
    `memory  ${formatBytes(memory)} for each worker`,
    ...(methods ? [`method  ${counted(Object.values(methods))}`] : []),
    `time    about ${duration(seconds)} for one worker on this machine with ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    ...(rounding ? [roundingLine(rounding, done === 0 ? rounding.tiles : done)] : []),
  ]
}

/** Such as `structured of 2 parameters, jacobian of 1`. */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const parts = [...counts].sort(([, a], [, b]) => b - a)
  const [[first = '', count = 0] = [], ...rest] = parts
  const parameters = count === 1 ? 'parameter' : 'parameters'
  return [`${first} of ${count} ${parameters}`, ...rest.map(([word, n]) => `${word} of ${n}`)].join(
    ', ',
  )
}

/** Before any work. @throws TangentError FAILED where the disk has no room. */
export function checkRoom(
  { path }: Pick<Store, 'path'>,
  { disk, free, files }: Pick<StoreEstimate, 'disk' | 'free' | 'files'>,
): void {
  const refuse = (taken: string, there: string, remedy: string) => {
    throw new TangentError(
      'FAILED',
      `The store ${path} still takes ${taken} but ${there} are free on its disk; ${remedy}`,
    )
  }
  if (free !== null && disk > free) {
    const remedy = 'make room and give the same command again, or choose another place'
    refuse(`${formatBytes(disk)} in whole blocks`, formatBytes(free), remedy)
  }
  if (files.free !== null && files.missing > files.free) {
    refuse(`${files.missing} files`, String(files.free), 'take larger tiles, or another place')
  }
}

async function absolute(file: string, option = '--input'): Promise<string> {
  const found = await stat(file).catch(() => undefined)
  if (found?.isFile() || found?.isDirectory()) return resolve(file)
  const what = found ? 'no regular file' : 'no file'
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected files for ${option} together with --store, which reads them again and again, but ${file} is ${what}`,
  )
}

/** A file that a manifest names, where it is now: perhaps it moved along with the store. */
export async function movedAlong(file: string, before: string, now: string): Promise<string> {
  if (isBucket(before) || (await stat(file).catch(() => undefined))) return file
  const along = join(resolve(now), relative(before, file))
  return (await stat(along).catch(() => undefined)) ? along : file
}

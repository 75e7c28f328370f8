// Results larger than memory: a zarr array that workers fill tile by tile.
import { randomUUID } from 'node:crypto'
import { badArgument, oneOf, TangentError, wholeNumber } from '../core/errors.js'
import { formatBytes, parseBytes } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { ownVersion } from '../core/package.js'
import { threadCount } from '../core/threads.js'
import type { ArraySource, Floats, NdArray } from '../io/index.js'
import { coreOf, describeNetwork } from '../network/job.js'
import { Network } from '../network/network.js'
import { BucketStorage, isBucket } from './bucket.js'
import { headsOfEach, plainRequest, type StoreRequest } from './calls.js'
import { trialOf } from './estimate.js'
import { FolderStorage } from './folder.js'
import { type Grid, metadataFiles, type StoredArray, storedType } from './layout.js'
import {
  checkMachine,
  checkSame,
  isNew,
  type Manifest,
  manifestBytes,
  manifestKey,
  readManifest,
} from './manifest.js'
import { planned } from './plan.js'
import { processor } from './processor.js'
import { workWithQueue } from './queue.js'
import { type StoreType, storeTypes } from './rounding.js'
import { Samples, type StoreInputs } from './samples.js'
import { diskLeft, lookAt, type StoreEstimate, type StoreStatus } from './status.js'
import type { Storage } from './storage.js'
import { Tiles } from './tiles.js'
import { WatchedStorage } from './watched.js'
import {
  checkWork,
  type Hands,
  Work,
  type WorkOptions,
  type WorkReport,
  workWithLeases,
} from './work.js'

/** Options of {@link createStore}. */
export interface StoreOptions extends Pick<WorkOptions, 'signal'> {
  /** Samples a side of a tile (default: as many as memory allows, 256 at most). */
  tile?: number | undefined
  /** Tiles a side of a task, which one worker computes at a time (default: an eighth of all, about). */
  group?: number | undefined
  /**
   * Write of a kernel of x with itself only the tiles on and below the diagonal: half the disk, and NaN for every
   * reader that does not know of it (default: false).
   */
  half?: boolean | undefined
  /**
   * Type of the numbers on disk (default: that in which they are computed): `float16` and `bfloat16` take half the
   * disk of float32, and round. What that does is measured and told; a number beyond the type's range ends the work.
   */
  dtype?: StoreType | undefined
  /** How a command line reads network and samples; plain data that is kept as it is. */
  origin?: object | undefined
}

/** A result on disk, in tiles: made by {@link createStore}, or opened by {@link openStore}. */
export class Store {
  readonly path: string
  /** What the store is of. */
  readonly manifest: Manifest
  /** @internal */
  readonly storage: Storage
  #hands: Hands | undefined
  /** Chunks that the last estimate found whole: work goes on from there, and reads none for that again. */
  #seen: ReadonlySet<string> | undefined

  /** @internal */
  constructor(path: string, storage: Storage, manifest: Manifest, hands: Hands | undefined) {
    this.path = path
    this.manifest = manifest
    this.storage = storage
    this.#hands = hands
  }

  /**
   * What is there: looks at every chunk and its checksum.
   * @throws TangentError `FAILED` where the store cannot be read.
   * @example
   * ```js
   * import { buildMlp, createStore, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const store = await createStore('status.zarr', network, { kind: 'ntk', x }, { tile: 5 })
   * const { done, tiles } = await store.status()
   * console.log(done, 'of', tiles)
   * await network.dispose()
   * // 0 of 10
   * ```
   * @since 0.2.0
   */
  async status(options: Pick<WorkOptions, 'signal' | 'queue'> = {}): Promise<StoreStatus> {
    checkCall(options)
    checkWork(options)
    const tiles = new Tiles(this.storage, this.manifest.grid)
    return (await lookAt(this.storage, this.manifest, tiles, options)).status
  }

  /**
   * What is left to do: disk, memory and, from a trial with a few samples whose results are not kept, time.
   * @throws TangentError what the call itself throws.
   * @example
   * ```js
   * import { buildMlp, createStore, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const store = await createStore('estimate.zarr', network, { kind: 'ntk', x }, { tile: 5 })
   * const { missing, seconds } = await store.estimate()
   * console.log(missing, 'bytes', seconds < 60)
   * await network.dispose()
   * // 1664 bytes true
   * ```
   * @since 0.2.0
   */
  async estimate(options: Pick<WorkOptions, 'signal'> = {}): Promise<StoreEstimate> {
    checkCall(options)
    const tiles = new Tiles(this.storage, this.manifest.grid)
    const { status, left } = await lookAt(this.storage, this.manifest, tiles, options)
    this.#seen = tiles.sound
    const disk = await diskLeft(this.storage, this.manifest, left)
    const { memory } = this.manifest
    const trial = await trialOf(this.manifest, this.#ready(), options.signal)
    const seconds = status.tiles === 0 ? 0 : (left.length / status.tiles) * trial.seconds
    const rounding = status.rounding?.tiles ? status.rounding : trial.rounding
    return { ...status, ...disk, memory, seconds, ...(rounding && { rounding }) }
  }

  /**
   * Gives a store that was opened its network and samples; one that was made has them. Samples are checked as
   * they are read.
   * @param more weights of each sample's outputs, where the store is one of sketches with such `heads`
   * @throws TangentError `BAD_ARGUMENT` for another network.
   * @example
   * ```js
   * import { buildMlp, createStore, Network, openStore } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * await createStore('used.zarr', network, { kind: 'ntk', x }, { tile: 5 })
   * const store = await openStore('used.zarr')
   * await store.use(network, x)
   * console.log((await store.work()).computed, 'tiles')
   * await network.dispose()
   * // 10 tiles
   * ```
   * @since 0.2.0
   */
  async use(
    network: Network<Floats>,
    x: StoreInputs,
    x2?: StoreInputs,
    more: { heads?: ArraySource | NdArray | undefined } = {},
  ): Promise<void> {
    const { manifest } = this
    if (!(network instanceof Network)) throw badArgument('network', 'a Network', network)
    const of = await describeNetwork(coreOf(network))
    const asked = { network: of, request: manifest.request, x: manifest.x, x2: manifest.x2 }
    checkSame(manifest, asked, this.path)
    if (!manifest.x2 !== (x2 === undefined)) {
      throw badArgument('x2', manifest.x2 ? 'the second samples' : 'no second samples', x2)
    }
    this.#hands = await hands(network, x, x2, more.heads)
  }

  /**
   * Computes the tiles that are not there, with whoever else works on the store, and returns when all are.
   * @throws TangentError `BAD_ARGUMENT` where this version or machine would compute other bits,
   *   `FAILED` where a tile cannot be written: what is there stays; a DOMException named AbortError.
   * @example
   * ```js
   * import { buildMlp, createStore, Network, readArray } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const store = await createStore('work.zarr', network, { kind: 'ntk', x }, { tile: 5 })
   * await store.work()
   * console.log((await readArray('work.zarr')).shape.join(' '))
   * await network.dispose()
   * // 20 1 20 1
   * ```
   * @since 0.2.0
   */
  async work(options: WorkOptions = {}): Promise<WorkReport> {
    checkCall(options)
    checkWork(options)
    checkMachine(this.manifest, this.path)
    const storage = new WatchedStorage(this.storage, this.manifest, options.signal)
    const work = new Work(this.manifest, storage, this.#ready(), this.#seen)
    this.#seen = undefined
    if (options.queue !== undefined) {
      return workWithQueue(work, this.manifest, options.queue, options)
    }
    return workWithLeases(work, storage, options)
  }

  /**
   * Closes the sources of samples.
   * @example
   * ```js
   * import { buildMlp, createStore, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const store = await createStore('closed.zarr', network, { kind: 'ntk', x }, { tile: 5 })
   * await store.close()
   * await network.dispose()
   * ```
   * @since 0.2.0
   */
  async close(): Promise<void> {
    await this.#hands?.x.close()
    await this.#hands?.x2?.close()
  }

  #ready(): Hands {
    if (this.#hands) return this.#hands
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected the network and the samples of the store ${this.path} before work on it but received none; give them by store.use`,
    )
  }
}

async function hands(
  network: Network<Floats>,
  x: StoreInputs,
  x2: StoreInputs | undefined,
  heads: ArraySource | NdArray | undefined,
): Promise<Hands> {
  const second = x2 === undefined ? undefined : await Samples.of(network, x2, 'x2')
  return { network, x: await Samples.of(network, x, 'x', heads), x2: second, own: {} }
}

/**
 * Makes a store for a result, or opens the one that is there already if it is of the same job: then what is
 * there stays. Nothing is computed. The samples are read once, for their digests.
 *
 * @throws TangentError `BAD_ARGUMENT` for another job's store, saying what is another, or for a place
 *   that holds something else; what the call itself throws.
 * @example
 * ```js
 * import { createStore, Network, readArray } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const x = await readArray('x.npy')
 * const store = await createStore('kernel.zarr', network, { kind: 'ntk', x, kernel: 'trace' })
 * const { computed } = await store.work()
 * console.log(computed, (await readArray('kernel.zarr')).shape.join(' '))
 * await network.dispose()
 * // 1 20 20
 * ```
 * @since 0.2.0
 */
export async function createStore(
  path: string,
  network: Network<Floats>,
  request: StoreRequest,
  options: StoreOptions = {},
): Promise<Store> {
  checkCall(options)
  checkCall(request)
  const { tile, group, half, dtype, origin, signal } = options
  if (tile !== undefined) wholeNumber('options.tile', tile, 1)
  if (group !== undefined) wholeNumber('options.group', group, 1)
  if (half !== undefined && typeof half !== 'boolean') {
    throw badArgument('options.half', 'true or false', half)
  }
  if (dtype !== undefined) oneOf(dtype, storeTypes, 'options.dtype')
  const storage = storageAt(path)
  const core = coreOf(network)
  const own = await hands(network, request.x, request.x2, headsOfEach(request))
  const existing = await readManifest(storage)
  const plain = plainRequest(request)
  const threads = threadCount(request.threads) ?? existing?.threads ?? core.threads
  const memory =
    request.memory === undefined
      ? (existing?.memory ?? core.budget({}))
      : parseBytes(request.memory, 'request.memory')
  if (existing) checkMachine(existing, path)
  if (existing) checkChosen(existing, { tile, group, half, dtype, threads, memory }, path)
  const described = await describeNetwork(core)
  const askedOf = async (size: number) => ({
    network: described,
    request: plain,
    x: await own.x.digest(size, signal),
    x2: own.x2 ? await own.x2.digest(size, signal) : null,
  })
  if (existing) {
    checkSame(existing, await askedOf(existing.grid.size), path)
    await writeMetadata(storage, existing.grid)
    return new Store(path, storage, existing, own)
  }
  if (!(await isNew(storage))) return createStore(path, network, request, options)
  const planning = { tile, group, half, dtype, threads, memory, signal }
  const { grid, ...parts } = await planned(network, plain, own, planning)
  const manifest: Manifest = {
    format: 1,
    id: randomUUID(),
    package: { name: 'adaptive-tangent', version: ownVersion() },
    created: new Date().toISOString(),
    ...(await askedOf(grid.size)),
    grid,
    ...parts,
    threads,
    memory,
    processor: processor(),
    origin: origin ?? null,
  }
  if (!(await storage.create(manifestKey, manifestBytes(manifest)))) {
    // Another was first: with the same job, or not.
    return createStore(path, network, request, options)
  }
  await writeMetadata(storage, grid)
  return new Store(path, storage, manifest, own)
}

/**
 * Opens a store to see what is there, or, after {@link Store.use}, to work on it.
 * @throws TangentError `BAD_FILE` for what is none.
 * @example
 * ```js
 * import { createStore, Network, openStore, readArray } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const x = await readArray('x.npy')
 * await createStore('opened.zarr', network, { kind: 'ntk', x, kernel: 'trace' }, { tile: 8 })
 * await network.dispose()
 * const store = await openStore('opened.zarr')
 * console.log((await store.status()).tiles, store.manifest.grid.arrays[0].shape.join(' '))
 * // 6 20 20
 * ```
 * @since 0.2.0
 */
export async function openStore(path: string): Promise<Store> {
  const storage = storageAt(path)
  const manifest = await readManifest(storage)
  if (manifest) return new Store(path, storage, manifest, undefined)
  throw new TangentError(
    'BAD_FILE',
    `Expected a store that ntk --store made but found none in ${path}`,
  )
}

function storageAt(path: string): Storage {
  if (typeof path !== 'string' || path === '')
    throw badArgument('path', 'the path of a store', path)
  return isBucket(path) ? new BucketStorage(path) : new FolderStorage(path)
}

async function writeMetadata(storage: Storage, grid: Grid): Promise<void> {
  for (const [key, value] of metadataFiles(grid)) {
    if (await storage.read(key)) continue
    await storage.put(key, Buffer.from(`${JSON.stringify(value, null, 2)}\n`))
  }
}

/** @throws TangentError BAD_ARGUMENT for another number than the store's. */
function checkChosen(
  manifest: Manifest,
  chosen: {
    tile?: number | undefined
    group?: number | undefined
    half?: boolean | undefined
    dtype?: StoreType | undefined
    threads: number
    memory: number
  },
  path: string,
): void {
  const { threads, memory, grid, group } = manifest
  const dtype = storedType(grid.arrays[0] as StoredArray)
  const known = { tile: grid.size, group, half: grid.half, dtype, threads, memory }
  for (const name of ['tile', 'group', 'half', 'dtype', 'threads', 'memory'] as const) {
    const [before, now] = [known[name], chosen[name]]
    if (now === undefined || now === before) continue
    const shown = (value: number | boolean | string) =>
      name === 'memory' ? formatBytes(Number(value)) : String(value)
    const bits = name === 'half' || name === 'dtype' ? '' : '; its tiles would have other last bits'
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected ${name} ${shown(before)}, as the store ${path} was begun with, but received ${shown(now)}${bits}`,
    )
  }
}

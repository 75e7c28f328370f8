// Kernels on disk, known by their tiles: never whole in memory.
import { abortError } from '../core/abort.js'
import { badArgument, mismatch, TangentError, wholeNumber } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import { type ArraySource, type NdArray, openArray } from '../io/index.js'
import { checkPath } from '../io/reasons.js'
import { type AlignmentOptions, TangentKernel } from '../kernels/kernel.js'
import { targetMatrix } from '../kernels/target.js'
import { checkList } from '../linear/checks.js'
import {
  type ProductSolution,
  type ProductSolveOptions,
  solveByProducts,
} from '../linear/conjugate-gradients.js'
import { type DensityEstimate, type DensityOptions, estimateDensity } from '../linear/estimates.js'
import { type LanczosOptions, type TopEigenvalues, topEigenvalues } from '../linear/lanczos.js'
import type { KernelKind } from '../native/engine.js'
import {
  type Block,
  blocksOfRows,
  blocksOfStore,
  type KernelBlocks,
  multiply,
  oneOutput,
} from './blocks.js'
import { isBucket } from './bucket.js'
import type { StoredArray } from './layout.js'
import { centredSquare, gramNorm, Moments } from './moments.js'
import { rowsOfStore } from './rows.js'
import { openStore, type Store } from './store.js'

/** Options of {@link openKernel}. */
export interface OpenKernelOptions {
  /** Which output of a `diagonal` kernel. */
  output?: number | undefined
  signal?: AbortSignal | undefined
}

/** Numbers that describe a kernel on disk. */
export interface StoredMeasures {
  trace: number
  /** ‖K‖, Frobenius. */
  norm: number
  /** (tr K)² / tr K². */
  participationRatio: number
  /** The largest eigenvalues, and the share of the trace that they carry. */
  top: TopEigenvalues
  topShare: number
  /** Estimate of exp of the entropy of the eigenvalues over their sum. */
  effectiveRank: number
}

/** Blocks that are read ahead: at least and at most, and their bytes in between. */
const [fewAhead, mostAhead, aheadBytes] = [4, 16, 1 << 24]
/** Rows that are read at once where two kernels are compared: bytes, and those of a row of tiles at most. */
const [stripeBytes, tilesBytes] = [1 << 25, 1 << 28]

/**
 * A tangent kernel on disk: a store's, once it is complete, or any array file of a kernel's shape. Nothing of its
 * size is held in memory: products, and what is made of them, read it tile by tile. Opened by {@link openKernel}.
 */
export class StoredKernel {
  /** As of {@link TangentKernel}. */
  readonly kind: KernelKind
  readonly shape: readonly number[]
  /** Rows of the Gram matrix: N1·O of a full kernel, else N1. */
  readonly size: number
  /** Of a store that holds one half of a symmetric kernel. */
  readonly half: boolean
  readonly #columns: number
  readonly #blocks: KernelBlocks
  readonly #source: ArraySource
  readonly #output: number | undefined

  /** @internal */
  constructor(source: ArraySource, blocks: KernelBlocks, output: number | undefined) {
    const { shape } = source
    this.kind = kindOf(shape)
    this.shape = [...shape]
    const full = this.kind === 'full'
    this.size = (shape[0] as number) * (full ? (shape[1] as number) : 1)
    this.#columns = shapeSize(full ? shape.slice(2) : [shape[1] as number])
    this.#blocks = blocks
    this.half = blocks.half
    this.#source = source
    this.#output = output
  }

  /**
   * K·v, in double precision.
   * @param v (columns of the Gram matrix, columns), in C order
   * @throws TangentError `BAD_ARGUMENT` for wrong arguments; `BAD_FILE` for a damaged chunk.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('product.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('product.npy')
   * console.log((await kernel.product(Float64Array.of(1, -1))).join(' '))
   * await kernel.close()
   * // 1 -1
   * ```
   * @since 0.2.0
   */
  async product(
    v: Float64Array,
    columns = 1,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Float64Array> {
    checkCall(options)
    checkList('v', v)
    if (!Number.isInteger(columns) || v.length !== this.#columns * columns) {
      throw mismatch('v', `${this.#columns} × ${columns} numbers`, `${v.length} numbers`)
    }
    const result = new Float64Array(this.size * columns)
    await this.#each(options.signal, (block, part) => {
      multiply(part, block, v, result, { width: columns })
      if (block.mirrored) multiply(part, block, v, result, { width: columns, transposed: true })
    })
    return result
  }

  /**
   * Sum of the Gram matrix's diagonal.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('trace.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('trace.npy')
   * console.log(await kernel.trace())
   * await kernel.close()
   * // 4
   * ```
   * @since 0.2.0
   */
  async trace(options: { signal?: AbortSignal | undefined } = {}): Promise<number> {
    this.#checkSquare('its trace')
    let sum = 0
    await this.#each(options.signal, ({ row, column, rows, columns }, part) => {
      for (let r = 0; r < rows; r += 1) {
        const c = row + r - column
        if (c >= 0 && c < columns) sum += part[r * columns + c] as number
      }
    })
    return sum
  }

  /**
   * ‖K‖, Frobenius.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('norm.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('norm.npy')
   * console.log((await kernel.norm()).toFixed(3))
   * await kernel.close()
   * // 3.162
   * ```
   * @since 0.2.0
   */
  async norm(options: { signal?: AbortSignal | undefined } = {}): Promise<number> {
    let sum = 0
    await this.#each(options.signal, ({ mirrored }, part) => {
      let squares = 0
      for (let e = 0; e < part.length; e += 1) squares += (part[e] as number) ** 2
      sum += mirrored ? 2 * squares : squares
    })
    return Math.sqrt(sum)
  }

  /**
   * The largest eigenvalues, by the block Lanczos method; see `topEigenvalues`.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('top.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('top.npy')
   * const { values } = await kernel.topEigenvalues({ count: 1 })
   * console.log(values[0].toFixed(3))
   * await kernel.close()
   * // 3.000
   * ```
   * @since 0.2.0
   */
  topEigenvalues(options: LanczosOptions = {}): Promise<TopEigenvalues> {
    checkCall(options)
    this.#checkSquare('eigenvalues')
    return topEigenvalues(this.#product(options.signal), this.size, options)
  }

  /**
   * Density of all eigenvalues, estimated from random vectors; see `estimateDensity`.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('density.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('density.npy')
   * const density = await kernel.density()
   * console.log(density.sum(() => 1).value.toFixed(1))
   * await kernel.close()
   * // 2.0
   * ```
   * @since 0.2.0
   */
  density(options: DensityOptions = {}): Promise<DensityEstimate> {
    checkCall(options)
    this.#checkSquare('eigenvalues')
    return estimateDensity(this.#product(options.signal), this.size, options)
  }

  /**
   * (K + ridge·I) α = y by conjugate gradients; see `solveByProducts`.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('solve.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('solve.npy')
   * const { alpha } = await kernel.solve([4, 4], { ridge: 1 })
   * console.log([...alpha].map((value) => value.toFixed(3)).join(' '))
   * await kernel.close()
   * // 1.000 1.000
   * ```
   * @since 0.2.0
   */
  solve(y: ArrayLike<number>, options: ProductSolveOptions = {}): Promise<ProductSolution> {
    checkCall(options)
    this.#checkSquare('a solution')
    return solveByProducts(this.#product(options.signal), y, options)
  }

  /**
   * ⟨K, K'⟩ / (‖K‖ ‖K'‖), Frobenius; with `centred` the CKA: as {@link TangentKernel.alignment}.
   * @param other a kernel of the same shape, on disk or in memory.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('alignment.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('alignment.npy')
   * console.log((await kernel.alignment(kernel)).toFixed(3))
   * await kernel.close()
   * // 1.000
   * ```
   * @since 0.2.0
   */
  async alignment(
    other: StoredKernel | TangentKernel,
    options: AlignmentOptions & { signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    checkCall(options)
    if (!(other instanceof StoredKernel || other instanceof TangentKernel)) {
      throw badArgument('other', 'a StoredKernel or a TangentKernel', other)
    }
    if (other.shape.join() !== this.shape.join()) {
      throw mismatch(
        'other',
        `a kernel (${this.shape.join(', ')})`,
        `one (${other.shape.join(', ')})`,
      )
    }
    const second = other instanceof StoredKernel ? other : undefined
    if (this.half || second?.half) {
      throw mismatch('an alignment', 'a whole kernel in each store', 'half of one')
    }
    const moments = new Moments(this.size, this.#columns)
    const [samples = 0] = this.shape
    const count = Math.max(this.#stripeLength(), (second ?? this).#stripeLength())
    for (let first = 0; first < samples; first += count) {
      if (options.signal?.aborted) throw abortError(options.signal)
      const some = Math.min(count, samples - first)
      const own = await this.#stripe(first, some)
      const theirs = second
        ? await second.#stripe(first, some)
        : rowsOfKernel(other as TangentKernel, first, some, this.#output)
      moments.add(own, theirs, first * (this.size / samples))
    }
    return moments.cosine(options.centred ?? false)
  }

  /**
   * Alignment with what a target asks for, Y Yᵀ of a trace kernel or vec(Y) vec(Y)ᵀ of a full one, Y less its
   * column means; with `centred` the kernel is centred, too (CKA). By products alone.
   * @param target labels (N,) or numbers (N, O)
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('target.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('target.npy')
   * const target = { data: Int32Array.of(0, 1), shape: [2] }
   * console.log((await kernel.targetAlignment(target)).toFixed(3))
   * await kernel.close()
   * // 0.316
   * ```
   * @since 0.2.0
   */
  async targetAlignment(
    target: NdArray,
    options: AlignmentOptions & { signal?: AbortSignal | undefined } = {},
  ): Promise<number> {
    checkCall(options)
    this.#checkSquare('an alignment with a target')
    const { matrix, samples, outputs } = targetMatrix(target, {})
    const width = this.kind === 'full' ? 1 : outputs
    if (matrix.length !== this.size * width || samples !== this.shape[0]) {
      throw mismatch('target', `a target of ${this.size} rows`, `${samples} × ${outputs} numbers`)
    }
    const image = await this.product(matrix, width, options)
    let inner = 0
    for (let e = 0; e < image.length; e += 1) inner += (matrix[e] as number) * (image[e] as number)
    let square = (await this.norm(options)) ** 2
    if (options.centred) {
      const sums = await this.product(new Float64Array(this.size).fill(1), 1, options)
      square = centredSquare(square, sums)
    }
    const norms = Math.sqrt(square) * gramNorm(matrix, width)
    return norms === 0 ? 0 : inner / norms
  }

  /**
   * What a report says of a kernel.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('measures.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('measures.npy')
   * const { trace, participationRatio } = await kernel.measures({ count: 1 })
   * console.log(trace, participationRatio.toFixed(2))
   * await kernel.close()
   * // 4 1.60
   * ```
   * @since 0.2.0
   */
  async measures(options: LanczosOptions = {}): Promise<StoredMeasures> {
    checkCall(options)
    const trace = await this.trace(options)
    const norm = await this.norm(options)
    const top = await this.topEigenvalues(options)
    const { signal, seed, threads } = options
    const density = await this.density({ signal, seed, threads })
    const entropy = density.sum((value) => {
      const share = value / trace
      return share > 0 ? -share * Math.log(share) : 0
    })
    return {
      ...{ trace, norm, top },
      participationRatio: norm === 0 ? 0 : (trace / norm) ** 2,
      topShare: top.values.reduce((sum, value) => sum + value, 0) / trace,
      effectiveRank: Math.exp(entropy.value),
    }
  }

  /**
   * Lets go of the file.
   * @example
   * ```js
   * import { openKernel, writeNpy } from 'adaptive-tangent'
   *
   * await writeNpy('closing.npy', { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] })
   * const kernel = await openKernel('closing.npy')
   * await kernel.close()
   * ```
   * @since 0.2.0
   */
  async close(): Promise<void> {
    await this.#source.close?.()
  }

  #product(signal: AbortSignal | undefined) {
    return (v: Float64Array, columns: number) => this.product(v, columns, { signal })
  }

  #checkSquare(what: string): void {
    if (this.size === this.#columns) return
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected a kernel of one input with itself for ${what} but its Gram matrix is ${this.size} × ${this.#columns}`,
    )
  }

  /** All blocks, some of them read ahead. */
  async #each(
    signal: AbortSignal | undefined,
    use: (block: Block, part: ArrayLike<number>) => void,
  ): Promise<void> {
    const { list, read } = this.#blocks
    const [{ rows = 1, columns = 1 } = {}] = list
    const fitting = Math.floor(aheadBytes / (4 * rows * columns))
    const ahead = Math.min(mostAhead, Math.max(fewAhead, fitting))
    const begun: Promise<ArrayLike<number>>[] = []
    for (let k = 0; k < list.length; k += 1) {
      if (signal?.aborted) throw abortError(signal)
      while (begun.length < Math.min(list.length, k + ahead)) {
        const next = read(list[begun.length] as Block)
        // Waited for in its turn.
        next.catch(() => {})
        begun.push(next)
      }
      use(list[k] as Block, await (begun[k] as Promise<ArrayLike<number>>))
      delete begun[k]
    }
  }

  /** Samples whose rows are read at once: whole tiles, where they are not too many. */
  #stripeLength(): number {
    const bytes = 4 * shapeSize(this.shape.slice(1))
    const fitting = Math.max(1, Math.floor(stripeBytes / bytes))
    const { stripe } = this.#blocks
    if (stripe * bytes > tilesBytes) return fitting
    return Math.max(1, Math.floor(fitting / stripe)) * stripe
  }

  /** Rows of the Gram matrix of some samples. */
  async #stripe(first: number, count: number): Promise<ArrayLike<number>> {
    return oneOutput(await this.#source.rows(first, count), this.#output)
  }
}

/**
 * Opens a kernel on disk or in a bucket: a store's (`K.zarr` or `s3://BUCKET/K.zarr`, or `K.zarr#LAYER` of one by
 * layer), once it is complete, whose checksums are all looked at, or any file that {@link openArray} opens and that has a kernel's shape.
 *
 * ```ts
 * const kernel = await openKernel('K.zarr')
 * const { values } = await kernel.topEigenvalues({ count: 20 })
 * const { alpha } = await kernel.solve(y, { ridge: 1e-3 })
 * ```
 * @throws TangentError `BAD_FILE` for what is no kernel, or not complete; `BAD_ARGUMENT`.
 * @example
 * ```js
 * import { createStore, Network, openKernel, readArray } from 'adaptive-tangent'
 *
 * const network = await Network.load('model.onnx')
 * const x = await readArray('x.npy')
 * const store = await createStore('read.zarr', network, { kind: 'ntk', x, kernel: 'trace' })
 * await store.work()
 * await network.dispose()
 * const kernel = await openKernel('read.zarr')
 * console.log(kernel.shape.join(' '), (await kernel.topEigenvalues({ count: 3 })).status)
 * // 20 20 converged
 * ```
 * @since 0.2.0
 */
export async function openKernel(
  path: string,
  options: OpenKernelOptions = {},
): Promise<StoredKernel> {
  checkPath(path)
  checkCall(options)
  const { output } = options
  const stored = await storedArray(path)
  if (stored) {
    const { store, array } = stored
    const { grid } = store.manifest
    const source = rowsOfStore(store.storage, grid, array)
    checkKernel(source, path, output)
    await checkComplete(store, path, options.signal)
    return new StoredKernel(source, blocksOfStore(store.storage, grid, array, output), output)
  }
  const source = await openArray(path)
  try {
    checkKernel(source, path, output)
    return new StoredKernel(source, blocksOfRows(source, output), output)
  } catch (error) {
    await source.close?.()
    throw error
  }
}

/** The store, and the array of it, that a path names; undefined for other files. */
async function storedArray(
  path: string,
): Promise<{ store: Store; array: StoredArray } | undefined> {
  const whole = (array: StoredArray) => array.path === ''
  const [, folder = path, member] = /^(.+)#([^#]*)$/.exec(path) ?? []
  const tries = [
    { folder: path, fits: whole },
    { folder, fits: (array: StoredArray) => array.path === member || array.name === member },
  ]
  for (const { folder: place, fits } of member === undefined ? tries.slice(0, 1) : tries) {
    const store = await openStore(place).catch((error) => {
      // In a bucket nothing else is read.
      if (isBucket(path) && place === folder) throw error
      return undefined
    })
    if (!store) continue
    const array = store.manifest.grid.arrays.find(fits)
    if (array) return { store, array }
    const names = store.manifest.grid.arrays.map((one) => one.path).join(', ')
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected one of the arrays of ${place} behind #, as ${place}#NAME (${names}), but received ${path}`,
    )
  }
  return undefined
}

function checkKernel(source: ArraySource, path: string, output: number | undefined): void {
  const kind = checkShape(source, path)
  if ((kind === 'diagonal') !== (output !== undefined)) {
    throw badArgument('options.output', `${kind === 'diagonal' ? 'an' : 'no'} output`, output)
  }
  if (output !== undefined)
    wholeNumber('options.output', output, 0, (source.shape[2] as number) - 1)
}

async function checkComplete(
  store: Store,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { done, tiles } = await store.status({ signal })
  if (done === tiles) return
  throw new TangentError(
    'BAD_FILE',
    `Expected a complete kernel in ${path} but ${done} of ${tiles} tiles are there; ntk --store or worker goes on`,
  )
}

const ranks = ['', '', 'trace', 'diagonal', 'full'] as const

function kindOf(shape: readonly number[]): KernelKind {
  return ranks[shape.length] as KernelKind
}

function checkShape({ shape, dtype }: ArraySource, path: string): KernelKind {
  const [, a, , b] = shape
  const fits = shape.length >= 2 && shape.length <= 4 && (shape.length < 4 || a === b)
  if (fits && (dtype === 'float32' || dtype === 'float64')) return kindOf(shape)
  throw new TangentError(
    'BAD_FILE',
    `Expected a kernel (N1, N2), (N1, N2, O) or (N1, O, N2, O) of floats in ${path} but it is ${dtype} (${shape.join(', ')})`,
  )
}

function rowsOfKernel(
  { data, shape }: TangentKernel,
  first: number,
  count: number,
  output: number | undefined,
): ArrayLike<number> {
  const size = shapeSize(shape.slice(1))
  const part = data.subarray(first * size, (first + count) * size)
  return oneOutput({ data: part, shape: [count, ...shape.slice(1)] }, output)
}

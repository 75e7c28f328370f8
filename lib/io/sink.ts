// Where results go that leave tile by tile: rows of Jacobians and outputs, tiles of kernels.

import { mismatch, TangentError, wholeNumber } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { checkArray, type DType, type NdArray, type TypedArray, zeros } from './ndarray.js'

/** An array that a call makes, whole. */
export interface TiledArray {
  /**
   * Of a kernel `total`, or a layer's or parameter's name; of a Jacobian a parameter's name; of outputs the
   * output's; of features a parameter's name with `/x`, or `/delta` and `/h` or `/columns`.
   */
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DType
}

/** What a sink is told before anything is computed. */
export interface TilePlan {
  /** Every tile holds a part of each of them. */
  readonly arrays: readonly TiledArray[]
  /** Samples a side of a tile; the last ones are smaller. */
  readonly size: number
  /** The axis of the arrays along which rows lie, and that of columns; null where all are in a tile. */
  readonly axes: { readonly rows: number; readonly columns: number | null }
  /** Of a kernel of x with itself: only tiles on and below the diagonal come. */
  readonly symmetric: boolean
  /**
   * Digest of the job: of network, weights, inputs and options. A store that holds another job's tiles
   * has to refuse this one.
   */
  readonly digest: string
}

/** Where a tile lies: numbers of its row and column of tiles, and the samples that it holds. */
export interface TilePlace {
  readonly row: number
  readonly column: number
  readonly rows: { readonly first: number; readonly count: number }
  /** Null where the arrays have no second axis of samples. */
  readonly columns: { readonly first: number; readonly count: number } | null
}

/** A tile of the result, finished. It is the sink's own: nobody else reads or changes it. */
export interface Tile extends TilePlace {
  /** By name, the part of each array. */
  readonly arrays: ReadonlyMap<string, NdArray>
}

/**
 * Takes the tiles of a result: into memory, a file, a store. Tiles are computed on their own: what one
 * holds does not depend, to the last bit, on which others are computed or already there. So what a sink has
 * is not computed again, and a call that was interrupted goes on where it was.
 *
 * ```ts
 * const tiles = new Map()
 * const sink = {
 *   has: ({ row, column }) => tiles.has(`${row} ${column}`),
 *   write: (tile) => void tiles.set(`${tile.row} ${tile.column}`, tile),
 * }
 * const report = await network.ntk(x, { kernel: 'trace', sink, tile: 128 })
 * ```
 */
export interface TileSink {
  /** Called once, before anything is computed. Throws for what it cannot take. */
  open?(plan: TilePlan): void | Promise<void>
  /** Is the tile there already? Asked once for each, before anything is computed (default: no). */
  has?(place: TilePlace): boolean | Promise<boolean>
  /**
   * Takes a tile. At most two are on their way at once: a slow sink slows the call down. What it throws
   * ends the call.
   */
  write(tile: Tile): void | Promise<void>
}

/** What a call with a sink tells at its end. */
export interface TileReport {
  /** All tiles of the result, and those that this call computed. */
  tiles: number
  computed: number
  /** Bytes of memory that the core used at the worst moment, forward runs apart. */
  peakBytes: number
  /** Of a kernel that was computed: the method of each parameter. */
  methods?: Readonly<Record<string, string>>
  /** Of products in TF32: the largest error of a part that was computed both ways, and how many were. */
  tf32?: { error: number; sampled: number }
}

/** All places of a plan, row by row. */
export function placesOf(plan: TilePlan): TilePlace[] {
  const [array] = plan.arrays as [TiledArray]
  const ranges = (axis: number) => {
    const samples = array.shape[axis] as number
    return Array.from({ length: Math.ceil(samples / plan.size) }, (_, k) => {
      const first = k * plan.size
      return { first, count: Math.min(plan.size, samples - first) }
    })
  }
  const { rows, columns } = plan.axes
  const across = columns === null ? [null] : ranges(columns)
  return ranges(rows).flatMap((range, row) =>
    across.flatMap((other, column) =>
      plan.symmetric && column > row ? [] : [{ row, column, rows: range, columns: other }],
    ),
  )
}

/** Shape of an array's part in a tile. */
export function partShape({ shape }: TiledArray, { axes }: TilePlan, place: TilePlace): number[] {
  return shape.map((size, axis) =>
    axis === axes.rows
      ? place.rows.count
      : axis === axes.columns
        ? (place.columns?.count ?? size)
        : size,
  )
}

/**
 * The sink that keeps everything in memory: whole arrays, those of symmetric kernels mirrored. Calls
 * without a sink write to such arrays in place.
 *
 * ```ts
 * const sink = new MemorySink()
 * await network.jacobian(x, { sink })
 * const jacobian = sink.arrays.get('fc.weight')
 * ```
 */
export class MemorySink implements TileSink {
  /** By name; whole once the call has ended. */
  readonly arrays = new Map<string, NdArray>()
  readonly #there = new Set<string>()
  #plan: TilePlan | undefined

  open(plan: TilePlan): void {
    if (this.#plan) {
      if (this.#plan.digest === plan.digest && this.#plan.size === plan.size) return
      throw new TangentError(
        'BAD_ARGUMENT',
        'Expected the job that the sink has begun but this is another',
      )
    }
    this.#plan = plan
    for (const { name, shape, dtype } of plan.arrays) {
      const length = shapeSize(shape)
      this.arrays.set(name, { data: zeros(dtype, length), shape: [...shape] })
    }
  }

  has({ row, column }: TilePlace): boolean {
    return this.#there.has(`${row} ${column}`)
  }

  write(tile: Tile): void {
    const { axes, symmetric } = this.#plan as TilePlan
    for (const [name, part] of tile.arrays) {
      const whole = this.arrays.get(name) as NdArray
      put(whole, part, axes, [tile.rows.first, tile.columns?.first ?? 0])
      if (!symmetric || tile.row === tile.column) continue
      put(whole, transposed(part, axes.columns as number), axes, [
        tile.columns?.first ?? 0,
        tile.rows.first,
      ])
    }
    this.#there.add(`${tile.row} ${tile.column}`)
  }
}

/** Writes a part where it belongs. */
export function put(
  { data, shape }: NdArray,
  part: NdArray,
  axes: TilePlan['axes'],
  [row, column]: readonly [number, number],
): void {
  const split = axes.columns
  // In runs: along the whole rest of a row, or of each row of samples its columns.
  const inner = (of: readonly number[], from: number) => shapeSize(of.slice(from))
  if (split === null) {
    data.set(part.data as never, row * inner(shape, axes.rows + 1))
    return
  }
  const lines = inner(part.shape.slice(0, split), 0)
  const run = inner(part.shape, split)
  const stride = inner(shape, split)
  const start = row * inner(shape, axes.rows + 1) + column * inner(shape, split + 1)
  for (let line = 0; line < lines; line += 1) {
    data.set(part.data.subarray(line * run, (line + 1) * run) as never, start + line * stride)
  }
}

/**
 * A tile's part of a symmetric kernel as that of the mirrored place.
 * @param columns the axis of its columns: 1 of (N, N) and (N, N, O), 2 of (N, O, N, O).
 * @since 0.2.0
 * @example
 * ```js
 * import { transposed } from 'adaptive-tangent'
 *
 * // A tile of a trace kernel: 1 × 2 samples.
 * const { data, shape } = transposed({ data: Float32Array.of(5, 6), shape: [1, 2] }, 1)
 * console.log(shape.join(' × '), '|', data.join(' '))
 * // 2 × 1 | 5 6
 * ```
 */
export function transposed<T extends TypedArray>(part: NdArray<T>, columns: number): NdArray<T> {
  checkArray(part, 'part')
  const { data, shape } = part
  wholeNumber('columns', columns, 1, 2)
  if (columns === 2 ? shape.length !== 4 : shape.length !== 2 && shape.length !== 3) {
    throw mismatch(
      'part',
      'a part of a kernel, its columns along that axis,',
      `(${shape.join(', ')})`,
    )
  }
  const rows = shapeSize(shape.slice(0, columns))
  // Of a full kernel outputs go with their samples; of a diagonal one they stay last.
  const full = columns === 2
  const width = full ? (shape[2] as number) * (shape[3] as number) : (shape[1] as number)
  const last = full ? 1 : (shape[2] ?? 1)
  const result = new (data.constructor as new (length: number) => T)(data.length)
  for (let r = 0; r < rows; r += 1) {
    for (let c = 0; c < width; c += 1) {
      for (let e = 0; e < last; e += 1) {
        result[(c * rows + r) * last + e] = data[(r * width + c) * last + e] as never
      }
    }
  }
  const swapped = full
    ? [shape[2] as number, shape[3] as number, shape[0] as number, shape[1] as number]
    : [shape[1] as number, shape[0] as number, ...shape.slice(2)]
  return { data: result, shape: swapped }
}

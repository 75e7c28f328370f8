// Tiles of rows as blocks for who writes them, so that no result is whole in memory.
import type { Floats, NdArray, RowsHeader } from '../io/index.js'
import type { Tile, TilePlan, TileSink } from '../io/sink.js'

/** Takes tiles of samples in order and gives their only array, without its second axis where that is wanted. */
export class RowStream implements TileSink {
  /** What comes; rejects where nothing does. */
  readonly header: Promise<RowsHeader>
  readonly #flat: boolean
  readonly #stream = new TransformStream<NdArray, NdArray>()
  readonly #writer = this.#stream.writable.getWriter()
  #begin!: (header: RowsHeader) => void
  #refuse!: (error: unknown) => void

  constructor(flat: boolean) {
    this.#flat = flat
    this.header = new Promise((resolve, reject) => {
      this.#begin = resolve
      this.#refuse = reject
    })
    this.header.catch(() => {})
    this.#writer.closed.catch(() => {})
  }

  open({ arrays: [array] }: TilePlan): void {
    if (array) this.#begin({ dtype: array.dtype, shape: this.#shape([...array.shape]) })
  }

  async write({ arrays }: Tile): Promise<void> {
    const [array] = arrays.values()
    await this.#writer.ready
    await this.#writer.write({
      ...(array as NdArray),
      shape: this.#shape([...(array as NdArray).shape]),
    })
  }

  rows(): AsyncIterable<NdArray> {
    return this.#stream.readable
  }

  /** Nobody takes more of it, for a reason that is thrown again: the work that fills it ends, too. */
  async stop(reason: unknown): Promise<never> {
    await this.#stream.readable.cancel(reason).catch(() => {})
    throw reason
  }

  /** The end of the work that fills it. */
  async ended<T>(work: Promise<T>): Promise<T> {
    try {
      const result = await work
      await this.#writer.close()
      return result
    } catch (error) {
      this.#refuse(error)
      await this.#writer.abort(error).catch(() => {})
      throw error
    }
  }

  #shape(shape: number[]): number[] {
    return this.#flat ? shape.toSpliced(1, 1) : shape
  }
}

/** An array without its second axis. */
export function flattened({ data, shape }: NdArray<Floats>): NdArray<Floats> {
  return { data, shape: shape.toSpliced(1, 1) }
}

// The samples of a task as sources: read stripe by stripe as blocks need them, so that no task's samples are in
// memory at once.
import type { ArraySource, NdArray, TypedArray } from '../io/index.js'

/** Some samples of a store's job: whole stripes but for the last. */
export interface Stretch {
  first: number
  count: number
  /** Samples of a stripe. */
  size: number
}

export type Rows = ReadonlyMap<string, NdArray>

/** Reads samples and checks that they are those of the job. */
export type ReadRows = (first: number, count: number) => Promise<Rows>

/**
 * One source for each input over a stretch.
 * @param whole whether a stripe is read as one, and kept until another is wanted
 */
export function sourcesOver(
  { first, count, size }: Stretch,
  inputs: readonly (readonly [string, ArraySource])[],
  read: ReadRows,
  whole: boolean,
): Record<string, ArraySource> {
  let last: { at: number; rows: Promise<Rows> } | undefined
  // All inputs' rows of one stripe are asked for one after another.
  const stripe = (at: number): Promise<Rows> => {
    if (last?.at !== at) last = { at, rows: read(at, Math.min(size, first + count - at)) }
    return last.rows
  }
  const sources: Record<string, ArraySource> = Object.create(null)
  for (const [name, { shape, dtype }] of inputs) {
    const rows = async (from: number, some: number): Promise<NdArray> => {
      if (!whole) return (await read(first + from, some)).get(name) as NdArray
      const parts: NdArray[] = []
      for (let at = first + from; at < first + from + some; ) {
        const start = at - ((at - first) % size)
        const end = Math.min(start + size, first + from + some)
        parts.push(part((await stripe(start)).get(name) as NdArray, at - start, end - at))
        at = end
      }
      return joined(parts)
    }
    sources[name] = { length: count, shape: [count, ...shape.slice(1)], dtype, rows }
  }
  return sources
}

function part(array: NdArray, first: number, count: number): NdArray {
  const [all = 1, ...rest] = array.shape
  const size = array.data.length / all
  const data = array.data.subarray(first * size, (first + count) * size) as NdArray['data']
  return { ...array, data, shape: [count, ...rest] }
}

/** Arrays one behind the other, along the first axis. */
export function joined(parts: readonly NdArray[]): NdArray {
  const [first, ...others] = parts as [NdArray, ...NdArray[]]
  if (others.length === 0) return first
  const Kind = first.data.constructor as new (length: number) => TypedArray
  const data = new Kind(parts.reduce((sum, { data }) => sum + data.length, 0))
  let at = 0
  for (const one of parts) {
    data.set(one.data as never, at)
    at += one.data.length
  }
  const samples = parts.reduce((sum, { shape }) => sum + (shape[0] as number), 0)
  return { ...first, data, shape: [samples, ...first.shape.slice(1)] } as NdArray
}

// One kind of job: everything that the rest of the package knows of it.
import type { NativeFields } from '../../native/engine.js'
import { type Fields, nativeFields, text, type ValuesOf, whole, wholes } from './fields.js'

/** Where a result is not finite though all derivatives are. */
export interface Place {
  /** Index of the result, and of its entry. */
  result: number
  entry: number
  samples: number
  /** The first of the samples in the result. */
  first: number
  /** Numbers in the result. */
  count: number
  /** The parameter of that index. */
  parameter: string
  /** Output and sample of an entry, in words, where the results have `width` numbers for each. */
  row(width: number): string
}

export interface Axes {
  readonly rows: number
  readonly columns: number | null
}

export interface JobKind<K extends string = string, F extends Fields = Fields> {
  /** The name by which the addon's class is registered, too. */
  readonly kind: K
  readonly fields: F
  /** With what all kinds have in common, as the addon reads it. */
  readonly native: NativeFields
  /**
   * How its results leave tile by tile: `native`, where the addon's job does it by itself; `rows`, where
   * rows are computed on their own, so that a tile is a job for its samples.
   */
  readonly tiles: 'native' | 'rows' | null
  /** The results' axes along which samples lie: of rows, and of columns where there are. */
  axes(job: ValuesOf<F>): Axes
  /** Does it compute on a device? */
  readonly devices: boolean
  /** Are its forward runs worth keeping for the job's next pass? */
  readonly keepsRuns: boolean
  /** An entry of a result in words. */
  place(job: ValuesOf<F>, place: Place): string
}

/** What every job is told: the addon's JobSettings and the blocks of its results. */
export const nativeCommon = nativeFields({
  samples: whole(1),
  samples2: whole(1),
  outputs: wholes,
  threads: whole(1),
  memory: whole(0),
  forward: whole(0),
  forwardFixed: whole(0),
  block: whole(0),
  outputBlock: whole(0),
  tile: whole(1),
  finished: wholes,
  device: text,
  precision: text,
})

export function jobKind<const K extends string, const F extends Fields>(
  kind: K,
  fields: F,
  place: JobKind<K, F>['place'],
  {
    keepsRuns = false,
    tiles = null,
    devices = false,
    axes = () => ({ rows: 0, columns: null }),
  }: Partial<Pick<JobKind<K, F>, 'keepsRuns' | 'tiles' | 'axes' | 'devices'>> = {},
): JobKind<K, F> {
  const native = { ...nativeCommon, ...nativeFields(fields), results: 'blocks' } as const
  return { kind, fields, native, keepsRuns, devices, tiles, axes, place }
}

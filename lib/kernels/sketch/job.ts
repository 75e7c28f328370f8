// Sketches as jobs of the core: what is asked, and the map that comes of it.
import { createHash } from 'node:crypto'
import { badArgument, mismatch, oneOf, TangentError, wholeNumber } from '../../core/errors.js'
import { checkSeparable } from '../../derivatives/blocks.js'
import { execute, prepare } from '../../derivatives/derive.js'
import type { Prepared } from '../../derivatives/prepared.js'
import { checkArray, type Floats, type NdArray, toFloats } from '../../io/index.js'
import type { Core, DerivativeOptions } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import type { Job } from '../../runtime/jobs/index.js'
import { sketchKinds } from '../../runtime/jobs/sketch.js'
import { loaded } from '../../runtime/loaded.js'
import { grouping, type KernelSplit } from '../ntk.js'
import type { SketchKind, SketchMap } from './types.js'

/** Options of {@link sketch}. */
export interface SketchOptions extends DerivativeOptions {
  /** k, the numbers of each sketch, or of each part (default: 4096). */
  size?: number | undefined
  /** Default: `combined`. */
  kind?: SketchKind | undefined
  /** Which of all random maps (default: 1). The same seed gives the same map everywhere. */
  seed?: number | undefined
  /** One sketch for all parameters (default), or one for each layer or parameter, which stay apart. */
  by?: KernelSplit | undefined
  /**
   * Sums of outputs in place of the outputs: weights (N, O) for one head, or (N, O, H); a list of O
   * weights that all samples share.
   */
  heads?: NdArray | readonly number[] | undefined
}

/** A sketch that is ready to be computed, block by block. */
export interface PlannedSketch {
  prepared: Prepared
  map: Omit<SketchMap, 'parameters'>
  /** Of each sample: outputs or heads. */
  rows: number
  heads: { weights: (first: number, count: number) => Floats; columns: number } | undefined
  groups: number[]
}

/** Largest seed: one half of a counter's key is left. */
const mostSeed = 2 ** 32 - 1

export async function planSketch(
  core: Core,
  x: Inputs,
  options: SketchOptions,
): Promise<PlannedSketch> {
  const kind = oneOf(options.kind, sketchKinds, 'options.kind')
  const by = oneOf<KernelSplit>(options.by, ['total', 'layer', 'parameter'], 'options.by')
  const { size = 4096, seed = 1 } = options
  wholeNumber('options.size', size, 1)
  wholeNumber('options.seed', seed, 0, mostSeed)
  const prepared = await prepare(core, x, options)
  checkSeparable(prepared, 'for sketches')
  const { names, groups } = grouping(prepared.core, by)
  if (groups.length === 0) {
    throw new TangentError('BAD_ARGUMENT', 'Expected a network with parameters that are not frozen')
  }
  const heads = headsOf(prepared, options.heads)
  const rows = heads?.columns ?? prepared.width
  return { prepared, map: { kind, size, seed, parts: names }, rows, heads, groups }
}

/** Weights (N, O, H) of the outputs wanted. */
function headsOf(
  { samples, width, core }: Prepared,
  given: SketchOptions['heads'],
): PlannedSketch['heads'] {
  if (given === undefined) return undefined
  const { double } = core.architecture
  if (Array.isArray(given)) {
    const bad = given.find((value) => !Number.isFinite(value))
    if (given.length !== width || bad !== undefined) {
      throw badArgument('options.heads', `${width} finite numbers, one for each output,`, given)
    }
    const one = double ? Float64Array.from(given) : Float32Array.from(given)
    const weights = (_: number, count: number) => {
      const all = double ? new Float64Array(count * width) : new Float32Array(count * width)
      for (let i = 0; i < count; i += 1) all.set(one, i * width)
      return all
    }
    return { weights, columns: 1 }
  }
  checkArray(given as NdArray, 'options.heads')
  const { data, shape } = toFloats(given as NdArray, double, 'options.heads')
  const [n, o, columns = 1, ...rest] = shape
  if (n !== samples || o !== width || columns < 1 || rest.length > 0) {
    const wanted = `weights (${samples}, ${width}) or (${samples}, ${width}, H)`
    throw mismatch('options.heads', wanted, `(${shape.join(', ')})`)
  }
  const bad = data.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) throw badArgument(`options.heads.data[${bad}]`, 'a finite number', data[bad])
  const size = width * columns
  const weights = (first: number, count: number) => data.slice(first * size, (first + count) * size)
  return { weights, columns }
}

/** The stream of a parameter's random words, whatever other parameters there are. */
function keyOf(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32LE(0)
}

/** As the core takes it. */
export function jobOf(
  { prepared, map, heads, groups }: PlannedSketch,
  first: number,
  count: number,
  like?: SketchMap,
): Job<'sketch'> {
  return {
    kind: 'sketch',
    map: map.kind as SketchKind,
    size: map.size,
    seed: map.seed,
    groups,
    keys: prepared.core.architecture.active.map(({ parameter }) => keyOf(parameter.name)),
    stages: like ? like.parameters.flatMap(({ stage, run = 0 }) => [...stage, run]) : [],
    columns: heads?.columns ?? 1,
    ...(heads ? { heads: heads.weights(first, count) } : {}),
  }
}

/** Of samples [first, first + count): an array (count, rows, size) for each part, and the map. */
export async function sketchOf(
  planned: PlannedSketch,
  first: number,
  count: number,
  like?: SketchMap,
): Promise<{ arrays: Floats[]; map: SketchMap; peakBytes: number }> {
  const { prepared, map, rows, groups } = planned
  const { core, x, samples } = prepared
  const all = first === 0 && count === samples
  const part = all ? prepared : { ...prepared, x: await loaded(x, first, count), samples: count }
  const names = core.architecture.active.map(({ parameter }) => parameter.name)
  const { arrays, result } = await execute({
    prepared: part,
    job: jobOf(planned, first, count, like),
    results: map.parts.map((name) => ({ name, shape: [count, rows, map.size] })),
    words: {
      what: `Sketches of ${count} × ${rows} rows of ${map.size} numbers`,
      fits: () => 'a sink takes them in tiles of samples',
    },
  })
  const stages = result.report as Record<'left' | 'right' | 'run' | 'independent', number>[]
  const parameters = names.map((name, p) => {
    const { left = 0, right = 0, run = 0, independent = 0 } = stages[p] ?? {}
    const split = run > 0 ? { run, independent } : {}
    return { name, part: groups[p] as number, stage: [left, right] as const, ...split }
  })
  const { peakBytes } = result
  return { arrays: arrays.map(({ data }) => data), map: { ...map, parameters }, peakBytes }
}

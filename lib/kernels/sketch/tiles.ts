// Sketches that leave in tiles of samples.
import { digestOfJob } from '../../derivatives/identity.js'
import { chosenSize, fillRows, type SinkOptions } from '../../derivatives/tiles.js'
import type { Floats, NdArray } from '../../io/index.js'
import type { TileReport } from '../../io/sink.js'
import { jobOf, type PlannedSketch, type SketchOptions, sketchOf } from './job.js'
import type { SketchMap } from './types.js'

/** Tiles of samples to a sink. */
export async function sketchTiles(
  planned: PlannedSketch,
  options: SketchOptions & SinkOptions,
  like?: SketchMap,
): Promise<TileReport & { map: SketchMap }> {
  const { prepared, map: asked, rows } = planned
  const quiet = { ...prepared, options: { ...prepared.options, onProgress: undefined } }
  const own = { ...planned, prepared: quiet }
  const first = await sketchOf(own, 0, 1, like)
  const arraysOf = (arrays: readonly Floats[], count: number) =>
    new Map(
      asked.parts.map((name, g): [string, NdArray] => {
        return [name, { data: arrays[g] as Floats, shape: [count, rows, asked.size] }]
      }),
    )
  const { samples } = prepared
  const widths = asked.parts.map(() => rows * asked.size)
  const results = asked.parts.map((name) => ({ name, shape: [samples, rows, asked.size] }))
  let peak = first.peakBytes
  const report = await fillRows(
    {
      samples,
      one: arraysOf(first.arrays, 1),
      size: options.tile ?? chosenSize(prepared, { rows: 0, columns: null }, widths),
      digest: await digestOfJob({ prepared, job: jobOf(planned, 0, samples), results }),
      rows: async (from, count) => {
        const made = await sketchOf(own, from, count, first.map)
        peak = Math.max(peak, made.peakBytes)
        return arraysOf(made.arrays, count)
      },
    },
    options,
  )
  return { ...report, peakBytes: peak, map: first.map }
}

// Nyström features that leave in tiles of samples.
import { checkSeparable } from '../derivatives/blocks.js'
import { prepare } from '../derivatives/derive.js'
import { chosenSize, fillRows, type SinkOptions } from '../derivatives/tiles.js'
import type { Floats, NdArray } from '../io/index.js'
import type { Tile, TileReport } from '../io/sink.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import { ntkTo } from './ntk.js'
import type { LandmarkRoot } from './nystrom.js'

/** Landmarks whose kernel is known. */
export interface KnownLandmarks {
  /** The samples themselves. */
  at: Inputs
  count: number
  root: LandmarkRoot
  /** Of samples and kernel. */
  digest: string
}

/** Tiles of samples, (N, O, M · O) in the network's precision, to a sink. */
export async function nystromTiles(
  core: Core,
  x: Inputs,
  { at, count, root, digest }: KnownLandmarks,
  options: DerivativeOptions & SinkOptions,
): Promise<TileReport> {
  const { sink, tile, onProgress, ...call } = options
  const prepared = await prepare(core, x, call)
  checkSeparable(prepared, 'for Nyström features')
  const { samples, width, core: own } = prepared
  const { rows: all, ...declared } = await own.reading(x, 'x', call)
  let peakBytes = 0
  const rows = async (first: number, some: number) => {
    const chosen = Array.from({ length: some }, (_, i) => first + i)
    const part = await samplesOf(all, declared, chosen)
    const across = await tileOf(own, part, at, { ...call, tile: Math.max(some, count) })
    peakBytes = Math.max(peakBytes, across.peakBytes)
    const made = await root.features(across.data)
    const data: Floats = own.architecture.double ? made : Float32Array.from(made)
    const array: NdArray = { data, shape: [some, width, root.columns] }
    return new Map([['total', array]])
  }
  const axes = { rows: 0, columns: null }
  const size = tile ?? chosenSize(prepared, axes, [width * root.columns])
  const plan = { samples, one: await rows(0, 1), size, digest, rows }
  const report = await fillRows(plan, { sink, signal: options.signal, onProgress })
  return { ...report, peakBytes }
}

/** K(x, z) as one tile: its bits do not depend on calls before. */
async function tileOf(
  core: Core,
  x: Inputs,
  z: Inputs,
  options: DerivativeOptions & { tile: number },
): Promise<{ data: Floats; peakBytes: number }> {
  let tile: Tile | undefined
  const sink = {
    write: (whole: Tile) => {
      tile = whole
    },
  }
  const { peakBytes } = await ntkTo(core, x, z, { ...options, sink })
  const { data } = (tile as Tile).arrays.get('total') as NdArray<Floats>
  return { data, peakBytes }
}

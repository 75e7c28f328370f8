import type { ColorScheme } from '@observablehq/plot'
import { type ProbeRaster, rasterise } from '../probe/raster.js'
import { libraries, Plot } from './libraries.js'

/** A raster's numbers divided by `scale`. */
export function scaled({ size, values }: ProbeRaster, scale: number): ProbeRaster {
  return { size, values: values.map((value) => value / scale) }
}

/** Rows and columns with their means taken off, divided by the Frobenius norm. */
export function centred({ size, values }: ProbeRaster): ProbeRaster {
  const means = new Float64Array(size)
  let total = 0
  values.forEach((value, at) => {
    means[at % size] = (means[at % size] as number) + value / size
    total += value / size / size
  })
  const moved = values.map(
    (value, at) =>
      value - (means[at % size] as number) - (means[Math.floor(at / size)] as number) + total,
  )
  const norm = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0)) || 1
  return { size, values: moved.map((value) => (value / norm) * size) }
}

/** Means over neighbouring cells, so that no more than `limit` are on a side. */
export function coarser(raster: ProbeRaster, limit: number): ProbeRaster {
  const { size, values } = raster
  if (size <= limit) return raster
  return rasterise(values, [...Array(size).keys()], limit)
}

export interface ColorScale {
  domain: [number, number]
  /** 256 colours from the lower to the upper end of the domain. */
  colors: [number, number, number][]
}

function colors(scheme: ColorScheme, reverse: boolean): ColorScale['colors'] {
  const scale = Plot.scale({ color: { type: 'linear', scheme, reverse, domain: [0, 255] } })
  return Array.from({ length: 256 }, (_, at) => rgb(scale?.apply(at) as string))
}

/** From dark (0) to bright (`high`). */
export function sequential(high: number): ColorScale {
  return { domain: [0, high], colors: colors('magma', false) }
}

/** From blue (−`end`) over white (0) to red (`end`). */
export function diverging(end: number): ColorScale {
  return { domain: [-end, end], colors: colors('rdbu', true) }
}

/** Another scheme, from the lower to the upper end of a domain. */
export const colorScale = (
  scheme: ColorScheme,
  domain: [number, number],
  reverse = false,
): ColorScale => ({ domain, colors: colors(scheme, reverse) })

/** A value's colour, and one in which a text on it can be read. */
export function colorAt(
  { domain: [low, high], colors: all }: ColorScale,
  value: number,
): { fill: string; ink: string } {
  const at = Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low)))) || 0
  const [r, g, b] = all[at] as [number, number, number]
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b
  return { fill: `rgb(${r},${g},${b})`, ink: light > 130 ? '#111' : '#fff' }
}

function rgb(color: string): [number, number, number] {
  const hex = /^#(..)(..)(..)$/.exec(color)
  if (hex) return [1, 2, 3].map((k) => Number.parseInt(hex[k] as string, 16)) as never
  return (color.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number) as never
}

/** A PNG as a data URI; values outside the scale's domain take the colour of its end. */
export function png(
  width: number,
  height: number,
  values: ArrayLike<number>,
  { domain: [low, high], colors }: ColorScale,
): string {
  const data = Uint8Array.from({ length: width * height }, (_, at) => {
    const share = ((values[at] as number) - low) / (high - low)
    return Math.max(0, Math.min(255, Math.round(255 * share))) || 0
  })
  const bytes = libraries.encode(
    { width, height, data, depth: 8, channels: 1, palette: colors },
    { zlib: { level: 9 } },
  )
  return `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
}

/** The value below which a given share of all values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.round(share * (sorted.length - 1))] ?? 0
}

/** One scale for all pictures: to the 99th percentile of all their values, or 1 where that is more. */
export function commonScale(rasters: readonly ProbeRaster[]): ColorScale {
  const values = rasters.flatMap(({ values }) => values)
  const low = quantile(values, 0.01)
  const high = Math.max(1, quantile(values, 0.99))
  return low < -0.05 * high ? diverging(Math.max(-low, high)) : sequential(high)
}

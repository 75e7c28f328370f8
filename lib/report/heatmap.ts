import type { ProbeRaster } from '../probe/raster.js'
import type { ProbeGroup } from '../probe/types.js'
import { npyLink } from './data.js'
import { figure } from './figure.js'
import { short, tick } from './format.js'
import type { Markup } from './html.js'
import { Plot } from './libraries.js'
import { type ColorScale, png } from './raster.js'

export interface HeatmapOptions {
  id: string
  title: string
  description: string
  scale: ColorScale
  groups: readonly ProbeGroup[]
  /** Samples in all, of which the raster's cells are averages. */
  samples: number
  /** Pixels on a side of the picture itself. */
  side?: number
  /** What rows and columns are (default: samples). */
  of?: 'samples' | 'classes'
  /** What the values are. */
  unit?: string
}

/** Groups whose names fit next to each other, `room` samples apart at least. */
function spaced(groups: readonly ProbeGroup[], room: number): ProbeGroup[] {
  let next = Number.NEGATIVE_INFINITY
  return groups.filter(({ start, count }) => {
    const middle = start + count / 2
    if (middle < next) return false
    next = middle + room
    return true
  })
}

/** A square picture of a kernel: one image, whatever the number of samples. */
export function heatmap(raster: ProbeRaster, options: HeatmapOptions): Markup {
  const { groups, samples, side = 400, of = 'samples' } = options
  const small = side < 200
  const named = spaced(groups, (samples * (small ? 9 : 13)) / side)
  const letters = small ? 11 : 14
  const left = named.length > 0 ? (small ? 62 : 98) : 2
  const width = side + left + 2
  const height = side + 4
  const edges = groups.slice(1).map(({ start }) => start)
  const lines = side >= 200 && edges.length <= 60 ? edges : []
  return figure({
    id: options.id,
    title: options.title,
    description: options.description,
    attributes: {
      'data-square': `${left},2,${side}`,
      'data-of': of,
      'data-unit': options.unit ?? 'kernel ÷ its mean diagonal',
    },
    link: npyLink(options.id, raster.size, raster.values),
    width,
    height,
    marginLeft: left,
    marginRight: 2,
    marginTop: 2,
    marginBottom: 2,
    x: { axis: null, domain: [0, samples] },
    y: { axis: null, domain: [0, samples], reverse: true },
    marks: [
      Plot.image([0], {
        x: samples / 2,
        y: samples / 2,
        width: side,
        height: side,
        src: () => png(raster.size, raster.size, raster.values, options.scale),
        preserveAspectRatio: 'none',
        imageRendering: 'pixelated',
      }),
      Plot.ruleX(lines, { stroke: 'white', strokeOpacity: 0.35, strokeWidth: 0.75 }),
      Plot.ruleY(lines, { stroke: 'white', strokeOpacity: 0.35, strokeWidth: 0.75 }),
      Plot.text(named, {
        frameAnchor: 'left',
        y: ({ start, count }) => start + count / 2,
        text: ({ name }) => short(name, letters),
        fontSize: small ? 10 : 12,
        textAnchor: 'end',
        dx: small ? -4 : -7,
      }),
    ],
  })
}

/** The colours of a heatmap and the numbers they stand for. */
export function colorBar(
  id: string,
  title: string,
  scale: ColorScale,
  tickFormat: (value: number) => string = tick,
): Markup {
  const [low, high] = scale.domain
  const ramp = Array.from({ length: 256 }, (_, at) => low + ((high - low) * at) / 255)
  return figure({
    id,
    title: `Colours: ${title}`,
    description: `Colours from ${tickFormat(low)} to ${tickFormat(high)}.`,
    width: 420,
    height: 52,
    marginTop: 2,
    marginBottom: 36,
    marginLeft: 14,
    marginRight: 14,
    x: {
      domain: [low, high],
      label: title,
      labelAnchor: 'center',
      labelArrow: 'none',
      tickFormat,
      ticks: 5,
    },
    y: { axis: null, domain: [0, 1] },
    marks: [
      Plot.image([0], {
        x: (low + high) / 2,
        y: 0.5,
        width: 392,
        height: 10,
        src: () => png(256, 1, ramp, scale),
        preserveAspectRatio: 'none',
      }),
    ],
  })
}

// Samples as people can look at them: small pictures of an input, or its first numbers.
import { isArray } from '../io/held.js'
import { isSource, type NdArray } from '../io/index.js'
import { type Core, cores } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'

/** Samples to look at, by their numbers in the input. */
export interface ProbeThumbnails {
  samples: number[]
  /** 8 bits a channel, sample after sample, row by row, in base64; null where no input is a picture. */
  picture: { width: number; height: number; channels: 1 | 3; data: string } | null
  /** The first numbers of each sample, where there are no pictures. */
  texts: string[] | null
}

/** Pixels on the longer side at most, and numbers in all: what a page can hold. */
const edgeLimit = 28
const budget = 450_000
/** A picture has as many on its shorter side at least. */
const edgeLeast = 4

/** How one sample of an input is a picture. */
interface Layout {
  width: number
  height: number
  channels: 1 | 3
  /** Steps from a pixel to the next on the right, below, and in the next channel. */
  steps: [x: number, y: number, channel: number]
}

/**
 * (C, H, W) and (H, W, C) with 1 or 3 channels, (H, W), and a row of numbers whose count is a square
 * of 8 or more.
 */
export function pictureLayout(shape: readonly number[]): Layout | null {
  const sizes = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape
  const [a = 0, b = 0, c = 0] = sizes
  const layout = (height: number, width: number, channels: number, steps: Layout['steps']) =>
    Math.min(height, width) >= edgeLeast && (channels === 1 || channels === 3)
      ? { width, height, channels: channels as 1 | 3, steps }
      : null
  if (sizes.length === 3) return layout(b, c, a, [1, c, b * c]) ?? layout(a, b, c, [c, b * c, 1])
  if (sizes.length === 2 && a > 1) return layout(a, b, 1, [1, b, 0])
  const count = a * (sizes.length === 2 ? b : 1)
  const edge = Math.sqrt(count)
  return sizes.length <= 2 && Number.isInteger(edge) && edge >= 8
    ? layout(edge, edge, 1, [1, edge, 0])
    : null
}

/**
 * Samples as small pictures of the first input that is one, else in numbers. What is a picture is told
 * by the shape alone ({@link pictureLayout}); brightness goes from the least to the greatest number of
 * each channel over these samples.
 * @param x as for `network.ntk`
 * @param samples their numbers in `x`
 */
export async function thumbnailsOf(
  network: Network,
  x: Inputs,
  samples: readonly number[],
): Promise<ProbeThumbnails> {
  const { rows, ...declared } = await (cores.get(network) as Core).reading(x, 'x')
  const chosen = await samplesOf(rows, declared, samples)
  const arrays = declared.infos.flatMap(({ name }, k): { array: NdArray; shape: number[] }[] => {
    const place = declared.places[k]
    const array = isArray(chosen) || isSource(chosen) ? chosen : chosen[name]
    // Only where samples lie first, so that one after another can be read.
    return typeof array === 'object' && !isSource(array) && (place === 0 || place === 'one')
      ? [{ array, shape: array.shape.slice(1) }]
      : []
  })
  const seen = arrays.flatMap(({ array, shape }) => {
    const layout = pictureLayout(shape)
    return layout ? [{ array, layout }] : []
  })
  const [first] = seen
  if (first && samples.length > 0) {
    const picture = pictures(first.array, first.layout, samples.length)
    return { samples: [...samples], picture, texts: null }
  }
  return { samples: [...samples], picture: null, texts: texts(arrays[0]?.array, samples.length) }
}

function texts(array: NdArray | undefined, count: number): string[] | null {
  if (!array) return null
  const size = array.data.length / count
  const show = (value: number | bigint) => String(Number(Number(value).toPrecision(3)))
  return Array.from({ length: count }, (_, i) => {
    const numbers = Array.from(array.data.slice(i * size, i * size + Math.min(size, 4)), show)
    return numbers.join(', ') + (size > 4 ? ' …' : '')
  })
}

/** Each pixel is the mean over its part of the sample's picture. */
function pictures(
  { data }: NdArray,
  layout: Layout,
  count: number,
): NonNullable<ProbeThumbnails['picture']> {
  const { width: w, height: h, channels, steps } = layout
  const most = Math.min(edgeLimit, Math.floor(Math.sqrt(budget / count / channels)))
  const shrink = Math.max(1, Math.max(w, h) / Math.max(most, edgeLeast))
  const [width, height] = [Math.max(1, Math.round(w / shrink)), Math.max(1, Math.round(h / shrink))]
  const size = data.length / count
  const pixels = new Float64Array(count * width * height * channels)
  const cuts = (whole: number, parts: number) =>
    Array.from({ length: parts + 1 }, (_, k) => Math.round((k * whole) / parts))
  const [xs, ys] = [cuts(w, width), cuts(h, height)]
  let at = 0
  for (let i = 0; i < count; i++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0
          const [x0, x1] = [xs[x] as number, xs[x + 1] as number]
          const [y0, y1] = [ys[y] as number, ys[y + 1] as number]
          for (let v = y0; v < y1; v++) {
            for (let u = x0; u < x1; u++) {
              sum += Number(data[i * size + u * steps[0] + v * steps[1] + channel * steps[2]])
            }
          }
          pixels[at++] = sum / ((x1 - x0) * (y1 - y0))
        }
      }
    }
  }
  return { width, height, channels, data: bytesOf(pixels, channels).toString('base64') }
}

function bytesOf(pixels: Float64Array, channels: number): Buffer {
  const low = new Float64Array(channels).fill(Number.POSITIVE_INFINITY)
  const high = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY)
  pixels.forEach((value, e) => {
    const c = e % channels
    low[c] = Math.min(low[c] as number, value)
    high[c] = Math.max(high[c] as number, value)
  })
  return Buffer.from(
    Uint8Array.from(pixels, (value, e) => {
      const [least, most] = [low[e % channels] as number, high[e % channels] as number]
      return most > least ? Math.round((255 * (value - least)) / (most - least)) : 0
    }),
  )
}

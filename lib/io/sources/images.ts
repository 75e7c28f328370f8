// Folders of PNG and JPEG files as an array of bytes, one image after another.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { badArgument, oneOf, TangentError, wholeNumber } from '../../core/errors.js'
import { checkCall } from '../../core/options.js'
import { readBytes } from '../files.js'
import { type NormalizeOptions, normalized } from '../normalized.js'
import { checkPath, reason } from '../reasons.js'
import { type ArraySource, checkRows } from '../source.js'
import { resizePixels } from './resize.js'

/** How {@link openImages} makes arrays of images. */
export interface ImageOptions extends Omit<NormalizeOptions, 'axis'> {
  /** Height and width to which every image is resized (default: as they are, which is one size then). */
  size?: readonly [number, number] | undefined
  /** 1: grey; 3: red, green, blue (default: as the first image has them, without transparency). */
  channels?: 1 | 3 | undefined
  /** (N, channels, height, width), the default, or (N, height, width, channels). */
  layout?: 'NCHW' | 'NHWC' | undefined
}

/** Images, and their files in order. */
export interface ImageSource extends ArraySource {
  readonly files: readonly string[]
}

interface Pixels {
  /** (height, width, channels) */
  data: Uint8Array
  height: number
  width: number
  channels: number
}

const endings = /\.(png|jpe?g)$/i

/** Names in a folder and those inside it, sorted. */
async function imagesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder, { recursive: true })
    return names.filter((name) => endings.test(name)).sort()
  } catch (error) {
    throw new TangentError('BAD_FILE', `Cannot read ${folder}: ${reason(error)}.`, { cause: error })
  }
}

/** Does a folder hold images? */
export async function isImages(folder: string): Promise<boolean> {
  return (await imagesIn(folder)).length > 0
}

/**
 * A folder of `.png` and `.jpg` files, those in folders inside it too, as an array of bytes (N, channels,
 * height, width) that is decoded as rows are needed; in the order of their paths. Transparency is left out,
 * 16-bit numbers become 8-bit ones, grey and colours are turned into each other as Pillow does (`L`, `RGB`),
 * and images are resized as by its `BILINEAR`. With `scale`, `mean` or `std` floats come out, see {@link
 * normalized}.
 * @throws TangentError `BAD_FILE` for what is no image, or of another size than the others where none is
 *   asked for; `BAD_ARGUMENT`.
 * @example
 * ```js
 * import { mkdir, writeFile } from 'node:fs/promises'
 * import { openImages } from 'adaptive-tangent'
 *
 * // A PNG of one red pixel.
 * const png =
 *   'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC'
 * await mkdir('images', { recursive: true })
 * await writeFile('images/red.png', Buffer.from(png, 'base64'))
 * const images = await openImages('images', { scale: 1 / 255 })
 * console.log(images.shape.join(' × '), (await images.rows(0, 1)).data.join(' '))
 * // 1 × 3 × 1 × 1 1 0 0
 * ```
 * @since 0.2.0
 */
export async function openImages(folder: string, options: ImageOptions = {}): Promise<ImageSource> {
  checkPath(folder)
  checkCall(options)
  const { size, channels, layout, ...numbers } = options
  const axes = oneOf(layout, ['NCHW', 'NHWC'] as const, 'options.layout')
  if (channels !== undefined && channels !== 1 && channels !== 3) {
    throw badArgument('options.channels', '1 or 3', channels)
  }
  if (size !== undefined) {
    const sound = Array.isArray(size) && size.length === 2
    if (!sound) throw badArgument('options.size', 'height and width', size)
    for (const side of size) wholeNumber('options.size', side, 1, 2 ** 15)
  }
  const names = await imagesIn(folder)
  const files = names.map((name) => join(folder, name))
  const [path] = files
  if (path === undefined)
    throw new TangentError('BAD_FILE', `${folder} holds no .png or .jpg file.`)
  const first = await decoded(path)
  const wanted = {
    size: size ?? ([first.height, first.width] as const),
    resize: size !== undefined,
    channels: channels ?? (first.channels < 3 ? 1 : 3),
  }
  const [height, width] = wanted.size
  const own = { NCHW: [wanted.channels, height, width], NHWC: [height, width, wanted.channels] }
  const source: ArraySource = {
    length: files.length,
    shape: [files.length, ...own[axes]],
    dtype: 'uint8',
    rows: async (from, count) => {
      checkRows(source, from, count)
      const each = wanted.channels * height * width
      const data = new Uint8Array(count * each)
      for (let k = 0; k < count; k += 1) {
        const pixels = shaped(
          await decoded(files[from + k] as string),
          files[from + k] as string,
          wanted,
        )
        data.set(axes === 'NCHW' ? planes(pixels) : pixels.data, k * each)
        // Decoding takes this thread: others get their turn.
        await new Promise((resolve) => setImmediate(resolve))
      }
      return { data, shape: [count, ...own[axes]] }
    },
  }
  const asked = Object.values(numbers).some((value) => value !== undefined)
  const axis = axes === 'NCHW' ? 1 : -1
  return { ...(asked ? normalized(source, { ...numbers, axis }) : source), files }
}

/** Of a file's first bytes. */
async function decoded(path: string): Promise<Pixels> {
  const bytes = await readBytes(path)
  try {
    return bytes[0] === 0x89 ? await png(bytes) : await jpeg(bytes)
  } catch (cause) {
    const why = (cause as Error).message.replace(/\s+/g, ' ').slice(0, 100)
    throw new TangentError('BAD_FILE', `${path} is not a PNG or JPEG image: ${why}.`, { cause })
  }
}

async function png(bytes: Uint8Array): Promise<Pixels> {
  const { convertIndexedToRgb, decode } = await import('fast-png')
  const image = decode(bytes, { checkCrc: true })
  const { width, height, depth } = image
  if (image.palette) {
    const data = Uint8Array.from(convertIndexedToRgb(image))
    return { data, width, height, channels: data.length / (width * height) }
  }
  if (depth < 8) throw new Error(`it has ${depth} bits for each pixel`)
  const { data, channels } = image
  if (depth === 8) return { data: Uint8Array.from(data), width, height, channels }
  return {
    data: Uint8Array.from(data, (value) => Math.round(value / 257)),
    width,
    height,
    channels,
  }
}

async function jpeg(bytes: Uint8Array): Promise<Pixels> {
  const { default: codec } = await import('jpeg-js')
  const { width, height, data } = codec.decode(bytes, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    maxMemoryUsageInMB: 4096,
    maxResolutionInMP: 1000,
  })
  return { data, width, height, channels: data.length / (width * height) }
}

/** As many channels and pixels as are wanted. */
function shaped(
  image: Pixels,
  path: string,
  {
    size,
    resize,
    channels,
  }: { size: readonly [number, number]; resize: boolean; channels: number },
): Pixels {
  const { data, height, width, channels: have } = image
  const [rows, columns] = size
  if (!resize && (height !== rows || width !== columns)) {
    throw new TangentError(
      'BAD_FILE',
      `Expected images of one size, ${rows} × ${columns}, but ${path} is ${height} × ${width}; options.size, or --size, resizes them`,
    )
  }
  const count = height * width
  const own = new Uint8Array(count * channels)
  const colours = have > 2 ? 3 : 1
  for (let e = 0; e < count; e += 1) {
    const at = e * have
    const [r = 0, g = r, b = r] = data.subarray(at, at + colours)
    if (channels === 3) own.set([r, g, b], 3 * e)
    // ITU-R 601 in whole numbers, as Pillow.
    else own[e] = colours === 1 ? r : (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16
  }
  const pixels = resizePixels(own, [height, width, channels], size)
  return { data: pixels, height: rows, width: columns, channels }
}

/** (height, width, channels) as (channels, height, width). */
function planes({ data, height, width, channels }: Pixels): Uint8Array {
  const count = height * width
  const out = new Uint8Array(data.length)
  for (let e = 0; e < count; e += 1) {
    for (let c = 0; c < channels; c += 1) out[c * count + e] = data[e * channels + c] as number
  }
  return out
}

// `--scale`, `--mean` and `--std`: what the numbers of a file stand for.
import { InvalidArgumentError, Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { type ArraySource, normalized, openImages } from '../io/index.js'
import type { ValueInfo } from '../onnx/index.js'

export interface NumberOptions {
  scale?: string[]
  mean?: string[]
  std?: string[]
  size?: [number, number]
  layout?: 'NCHW' | 'NHWC'
}

/** What was said, to be said again elsewhere. */
export function saidNumbers({ scale, mean, std, size, layout }: NumberOptions): NumberOptions {
  return {
    ...(scale ? { scale } : {}),
    ...(mean ? { mean } : {}),
    ...(std ? { std } : {}),
    ...(size ? { size } : {}),
    ...(layout ? { layout } : {}),
  }
}

const collect = (value: string, before: string[] | undefined) => [...(before ?? []), value]

export const normalizeOptions = () => [
  new Option(
    '--scale <s>',
    'multiply the numbers of the input files by it first, such as 1/255 for bytes; NAME=s of several inputs',
  ).argParser(collect),
  new Option(
    '--mean <m>',
    'then take it away: one number, or one for each channel, such as 0.485,0.456,0.406',
  ).argParser(collect),
  new Option('--std <d>', 'then divide by it: one number, or one for each channel').argParser(
    collect,
  ),
  new Option('--size <hxw>', 'resize the images of a folder, such as 224 or 224x160').argParser(
    sizeOf,
  ),
  new Option(
    '--layout <axes>',
    "axes of a folder's images and their channels (default: as the network's input has 1 or 3 channels)",
  ).choices(['NCHW', 'NHWC']),
]

function sizeOf(text: string): [number, number] {
  const [, height, width = height] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? []
  if (Number(height) >= 1 && Number(width) >= 1) return [Number(height), Number(width)]
  throw new InvalidArgumentError('Expected a height, or height and width such as 224x160.')
}

/** What a network's input says of images: where their channels are, and how many. */
function imagesFor({ shape }: ValueInfo): { layout?: 'NCHW' | 'NHWC'; channels?: 1 | 3 } {
  const [, first, , last] = shape?.length === 4 ? shape : []
  for (const [layout, channels] of [
    ['NCHW', first],
    ['NHWC', last],
  ] as const) {
    if (channels === 1 || channels === 3) return { layout, channels }
  }
  return {}
}

/** A folder of images as this input takes them. */
export function imageSource(
  folder: string,
  info: ValueInfo,
  { size, layout }: NumberOptions,
): Promise<ArraySource> {
  return openImages(folder, { ...imagesFor(info), size, ...(layout ? { layout } : {}) })
}

const one = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?(\/(\d+\.?\d*|\.\d+)(e[-+]?\d+)?)?$/i

/** Is a text a list of numbers or fractions? */
export const isNumbers = (text: string) => text.split(',').every((part) => one.test(part.trim()))

export function numbersOf(text: string, option: string): number[] {
  const values = text.split(',').map((part) => {
    const [over = '', under = '1'] = one.test(part.trim()) ? part.split('/') : []
    return over === '' ? Number.NaN : Number(over) / Number(under)
  })
  if (values.every(Number.isFinite)) return values
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected a number such as 0.5 or 1/255, or several with commas, for ${option} but received ${JSON.stringify(text)}`,
  )
}

/** What one of the options says of an input. */
function saidOf(
  texts: readonly string[] | undefined,
  { name }: ValueInfo,
  option: string,
  single: boolean,
): number[] | undefined {
  const own = texts?.find((text) => text.startsWith(`${name}=`))
  if (own !== undefined) return numbersOf(own.slice(name.length + 1), option)
  const common = texts?.find((text) => isNumbers(text) || !text.includes('='))
  if (common === undefined) return undefined
  if (single) return numbersOf(common, option)
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected NAME=NUMBERS for ${option}, as several inputs are read from files, but received ${JSON.stringify(common)}`,
  )
}

/** The floats that a file's numbers stand for; the same source where nothing is said of it. */
export function asSaid(
  source: ArraySource,
  info: ValueInfo,
  { scale, mean, std, layout }: NumberOptions,
  single: boolean,
): ArraySource {
  const said = {
    scale: saidOf(scale, info, '--scale', single),
    mean: saidOf(mean, info, '--mean', single),
    std: saidOf(std, info, '--std', single),
  }
  if (!said.scale && !said.mean && !said.std) return source
  if (!info.type?.startsWith('float')) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected no --scale, --mean or --std for input ${JSON.stringify(info.name)}, which takes ${info.type ?? 'no floats'}`,
    )
  }
  const [factor, ...more] = said.scale ?? [1]
  if (more.length > 0) {
    throw new TangentError('BAD_ARGUMENT', 'Expected one number for --scale but received several')
  }
  const dtype = info.type === 'float64' ? 'float64' : 'float32'
  const whole = (list: number[] | undefined) => (list?.length === 1 ? list[0] : list)
  const axis = (layout ?? imagesFor(info).layout) === 'NHWC' ? -1 : 1
  return normalized(source, {
    axis,
    ...{ scale: factor, mean: whole(said.mean), std: whole(said.std), dtype },
  })
}

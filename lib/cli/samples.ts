// `--input`: samples for each input of a network, as files, numbers or pipes.

import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { type ArraySource, type NdArray, rowBytes, wholeOf } from '../io/index.js'
import { parts } from '../io/open.js'
import { isImages } from '../io/sources/images.js'
import { isZarr } from '../io/sources/zarr.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { ValueInfo } from '../onnx/index.js'
import { openGiven, type StreamFormat } from './input.js'
import { asSaid, imageSource, type NumberOptions } from './normalize.js'

const aNumber = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i

/** Which file, number or pipe each input takes. */
function named(files: readonly string[], network: Network): Map<ValueInfo, string> {
  const infos = new Map(network.inputs.map((info) => [info.name, info]))
  const names = [...infos.keys()]
  const given = new Map<ValueInfo, string>()
  for (const text of files) {
    let name = names.find((candidate) => text.startsWith(`${candidate}=`))
    const value = name === undefined ? text : text.slice(name.length + 1)
    // The only input that has no name yet needs none.
    if (names.length === files.length && name === undefined) {
      const rest = names.filter((own) => !files.some((other) => other.startsWith(`${own}=`)))
      if (rest.length === 1) [name] = rest
    }
    const info = infos.get(name ?? '')
    if (name === undefined || !info) {
      throw new TangentError(
        'BAD_ARGUMENT',
        `Expected NAME=FILE with an input of the network (${names.join(', ')}) for --input but received ${JSON.stringify(text)}`,
      )
    }
    if (given.has(info)) {
      throw new TangentError(
        'BAD_ARGUMENT',
        `Expected one file for input ${JSON.stringify(name)} but received two`,
      )
    }
    given.set(info, value)
  }
  return given
}

type Given = ArraySource | number | bigint
/** By input. */
export type OpenInputs = Readonly<Record<string, Given>>

/** How the files of `--input` are read: as the command's options have it. */
export interface InputOptions extends NumberOptions {
  inputFormat?: StreamFormat | undefined
  /** Are rows to be read more than once by who does not keep those of a pipe? */
  again?: boolean
}

/** Opens `FILE`, or for each of several inputs `NAME=FILE` or `NAME=NUMBER`. */
export async function openInputs(
  files: readonly string[],
  network: Network,
  options: InputOptions = {},
): Promise<OpenInputs> {
  // Without a prototype: an input may be called __proto__.
  const inputs: Record<string, Given> = Object.create(null)
  const all = [...named(files, network)]
  const single = all.filter(([, value]) => !aNumber.test(value)).length === 1
  for (const [info, value] of all) {
    const given = await openInput(value, info, options)
    inputs[info.name] = typeof given === 'object' ? asSaid(given, info, options, single) : given
  }
  return inputs
}

/** The texts of `--input` with a name each, their files changed. */
export async function placedInputs(
  files: readonly string[],
  network: Network,
  change: (file: string) => Promise<string>,
): Promise<string[]> {
  const placed: string[] = []
  for (const [{ name }, text] of named(files, network)) {
    if (aNumber.test(text)) {
      placed.push(`${name}=${text}`)
      continue
    }
    const { file, member } = await parts(text)
    placed.push(`${name}=${await change(file)}${member === undefined ? '' : `#${member}`}`)
  }
  return placed
}

/** Files up to this size are read at once. */
const atOnce = 1 << 25

/** Samples for a call: small files whole, others by rows as the call comes to them. */
export async function readInputs(
  files: readonly string[],
  network: Network,
  options: InputOptions & { memory?: number } = {},
): Promise<Inputs> {
  const inputs: Record<string, Given | NdArray> = Object.create(null)
  const most = Math.min(atOnce, (options.memory ?? Number.POSITIVE_INFINITY) / 8)
  for (const [name, value] of Object.entries(await openInputs(files, network, options))) {
    const small = typeof value === 'object' && value.length * rowBytes(value) <= most
    inputs[name] = small ? await readWhole(value, name) : value
  }
  return singleInput(inputs, network)
}

/** The only input without its name. */
export function singleInput(
  inputs: Readonly<Record<string, Given | NdArray>>,
  network: Network,
): Inputs {
  const [only] = Object.values(inputs)
  return network.inputs.length === 1 && typeof only === 'object' ? only : inputs
}

async function readWhole(source: ArraySource, name: string): Promise<NdArray> {
  try {
    return await wholeOf(source, `input ${JSON.stringify(name)}`)
  } finally {
    await source.close?.()
  }
}

/** What `--input` says with whole paths, so that it can be read again from elsewhere; null of pipes. */
export function inputPaths(files: readonly string[]): string[] | null {
  const found = files.map((text) => {
    const cut = existsSync(text) ? 0 : text.indexOf('=') + 1
    const [name, value] = [text.slice(0, cut), text.slice(cut)]
    if (aNumber.test(value)) return text
    const path = value.replace(/#[^#]*$/, '')
    const place = existsSync(value) ? value : path
    if (place === '-' || !statSync(place, { throwIfNoEntry: false }) || isPipe(place)) return null
    return name + resolve(value)
  })
  return found.every((text) => text !== null) ? found : null
}

const isPipe = (path: string) => statSync(path).isFIFO() || statSync(path).isCharacterDevice()

/** A number, or a file's rows. */
async function openInput(text: string, info: ValueInfo, options: InputOptions): Promise<Given> {
  if (aNumber.test(text)) {
    return /^[-+]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : Number(text)
  }
  const { inputFormat: format, again = false } = options
  const found = statSync(text, { throwIfNoEntry: false })
  if (found?.isDirectory() && !(await isZarr(text)) && (await isImages(text))) {
    return imageSource(text, info, options)
  }
  const numbers = info.type?.startsWith('float') ? 'float' : undefined
  const source = await openGiven(text, { format, again, numbers })
  return isTable(text, format) ? asSamples(source, info) : source
}

const isTable = (path: string, format: StreamFormat | undefined) =>
  /\.(csv|parquet)(#[^#]*)?$/i.test(path) || (path === '-' && format === 'csv')

/** The rows of a table in the shape of the network's samples, which a table cannot have. */
function asSamples(source: ArraySource, { shape }: ValueInfo): ArraySource {
  const [, ...own] = shape ?? []
  const sizes = own.filter((size) => typeof size === 'number')
  const count = shapeSize(sizes)
  const columns = source.shape[1] ?? 1
  if (!shape || sizes.length < own.length || count !== columns) return source
  return {
    ...source,
    shape: [source.length, ...sizes],
    rows: async (first, length) => {
      const { data } = await source.rows(first, length)
      return { data, shape: [length, ...sizes] }
    },
  }
}

export async function closeInputs(opened: OpenInputs): Promise<void> {
  for (const value of Object.values(opened)) {
    if (typeof value === 'object') await value.close?.()
  }
}

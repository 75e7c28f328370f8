// What commands share that take networks: their options, opening one, watching calls.
import { InvalidArgumentError, Option } from 'commander'
import { badArgument, TangentError } from '../core/errors.js'
import type { ArrayKind } from '../io/index.js'
import type { BatchMode } from '../model/architecture.js'
import type { DerivativeOptions } from '../model/core.js'
import { chooseDevice, choosePrecision, type ProductPrecision } from '../native/device.js'
import { type LoadOptions, Network } from '../network/network.js'
import type { AxisOptions } from '../onnx/index.js'
import { type CommonOptions, collect, type Session } from './define.js'
import { closeFiles, type StreamFormat } from './input.js'
import { type NumberOptions, normalizeOptions } from './normalize.js'
import { progressDisplay } from './progress.js'

/** Options of commands that read samples. */
export const inputOption = () =>
  new Option(
    '--input <file>',
    'samples: .npy, .npz, .csv, .parquet, .safetensors, .pb, a zarr array (FILE#NAME for one of several) or a folder of images, - is standard input; NAME=FILE for each of several inputs, NAME=NUMBER for one that all share',
  )
    .argParser(collect)
    .makeOptionMandatory()

/** Options of commands that write kernels: which, and in how many files. */
export const kernelOptions = (shapes: string) => [
  new Option('--kernel <kind>', shapes).choices(['full', 'trace', 'diagonal']).default('full'),
  new Option('--by <part>', 'one kernel, or one each in a folder')
    .choices(['total', 'layer', 'parameter'])
    .default('total'),
]

export const nonFiniteOption = () =>
  new Option('--non-finite <way>', 'refuse numbers that are not finite, or write them')
    .choices(['throw', 'return'])
    .default('throw')

export function methodOption(what: string): Option {
  const option = new Option('--method <way>', `how to compute ${what}`)
    .choices(['auto', 'jacobian', 'structured', 'mixed'])
    .default('auto')
  const { parseArg } = option
  // `products` is the old name of `mixed`.
  return option.argParser((way, before) => parseArg?.(way === 'products' ? 'mixed' : way, before))
}

/** Of commands that tell the error of their products. */
export const precisionOption = () =>
  new Option(
    '--precision <kind>',
    'how a card multiplies: float32, or tf32, several times faster and good to about three digits (the error is measured and told)',
  ).choices(['float32', 'tf32'])

/** @throws TangentError BAD_ARGUMENT for TF32 where nothing could be rounded so. */
export function checkPrecision({
  precision,
  device: asked,
  float64 = false,
}: NetworkOptions): void {
  const device = chooseDevice(asked, '--device').name
  choosePrecision(precision, { device, asked, float64 }, '--precision')
}

export const outputsOption = () =>
  new Option(
    '--outputs <list>',
    'flat indices of that output, such as 0,3 or 0:100,200 (0 to 99, and 200)',
  ).argParser(indices)

/** Options of commands that differentiate. */
export const derivativeOptions = () => [
  ...normalizeOptions(),
  new Option(
    '--output <name>',
    'what to differentiate: an output, or any float value (info --values); default: the first output',
  ),
  outputsOption(),
  new Option('--parameter <name>', 'differentiate this parameter; again for others').argParser(
    collect,
  ),
  new Option('--freeze <name>', 'leave this parameter out; again for others').argParser(collect),
  new Option('--tied <name>', 'an Identity copy that is one weight with its source').argParser(
    collect,
  ),
  new Option('--untied <name>', 'a weight whose every use is one of its own').argParser(collect),
  new Option(
    '--constants <name>',
    "a stored constant that is a parameter all the same; again for others; 'all' or 'none'",
  ).argParser(collect),
  new Option('--constant <name>').argParser(collect).hideHelp(),
  batchOption(),
  new Option('--float64', 'compute in float64, where float32 is not accurate enough').default(
    false,
  ),
]

/** Of commands that take a network: what it is a function of. */
export const batchOption = () =>
  new Option(
    '--batch <mode>',
    'each: a function of one sample; whole: of all samples of the call, run in one batch',
  )
    .choices(['each', 'whole'])
    .default('each')

export interface NetworkOptions extends CommonOptions, NumberOptions {
  /** Of standard input and output. */
  inputFormat?: StreamFormat
  format?: ArrayKind
  batch?: BatchMode
  float64?: boolean
  precision?: ProductPrecision
  output?: string
  parameter?: string[]
  freeze?: string[]
  tied?: string[]
  untied?: string[]
  constants?: string[]
  /** The same by its name in version 0.1. */
  constant?: string[]
}

/** What `--constants` says, as an option of `Network.load`. */
function chosenConstants({ constants = [], constant = [] }: NetworkOptions) {
  const given = [...constants, ...constant]
  const [first] = given
  if (first === undefined) return undefined
  if (given.length === 1 && (first === 'all' || first === 'none')) return first
  const word = given.find((name) => name === 'all' || name === 'none')
  if (word !== undefined) throw badArgument('--constants', `'${word}' alone, or names`, given)
  return given
}

/** Loads the network that a command names, as its options say. */
export function openNetwork(
  path: string,
  options: NetworkOptions,
  more: LoadOptions = {},
): Promise<Network> {
  return Network.load(path, {
    output: options.output,
    parameters: options.parameter,
    frozen: options.freeze,
    tied: options.tied,
    untied: options.untied,
    constants: chosenConstants(options),
    batch: options.batch,
    float64: options.float64,
    ...axesOf(options),
    threads: options.threads,
    memory: options.memory,
    device: options.device,
    precision: options.precision,
    ...more,
  })
}

/** Loads the network that a command names, lets it be used, and disposes of it. */
export async function withNetwork<T>(
  path: string,
  options: NetworkOptions,
  more: LoadOptions,
  use: (network: Network) => Promise<T>,
): Promise<T> {
  const network = await openNetwork(path, options, more)
  try {
    return await use(network)
  } finally {
    await network.dispose()
    await closeFiles()
  }
}

/** Watches one call: Ctrl-C, its progress, and of a network's where it was computed. */
export async function watched<T>(
  session: Session,
  options: CommonOptions & { outputs?: number[]; nonFinite?: 'throw' | 'return' },
  call: (watch: DerivativeOptions) => Promise<T>,
  network?: Network,
): Promise<T> {
  const display = progressDisplay(options)
  let done = false
  try {
    const result = await call({
      signal: session.signal,
      outputs: options.outputs,
      nonFinite: options.nonFinite,
      ...(display ? { onProgress: display.update } : {}),
    })
    done = true
    return result
  } finally {
    display?.stop(done)
    if (done && network && options.device === 'auto') session.chose(network.device)
  }
}

/** What `--batch-axis NAME=k` and `--shared NAME` say. */
function axesOf({ batchAxis, shared }: CommonOptions): AxisOptions {
  if (!batchAxis) return { shared }
  const axes = batchAxis.map((text): [string, number | null] => {
    const cut = text.lastIndexOf('=')
    const value = text.slice(cut + 1)
    if (cut > 0 && value === 'none') return [text.slice(0, cut), null]
    if (cut > 0 && /^\d+$/.test(value)) return [text.slice(0, cut), Number(value)]
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected NAME=AXIS, such as h0=1 or x=none, for --batch-axis but received ${JSON.stringify(text)}`,
    )
  })
  return { batchAxis: Object.fromEntries(axes), shared }
}

/** Whole numbers ≥ 1, such as 1,10. */
export function numberList(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.every((value) => Number.isInteger(value) && value >= 1)) return values
  throw new InvalidArgumentError('Expected whole numbers ≥ 1 such as 1,10.')
}

/** `0,3`, or with ranges `0:100,200`, of which the end is left out. */
function indices(text: string): number[] {
  const values = text.split(',').flatMap((part) => {
    const [, first, end] = /^(\d+)(?::(\d+))?$/.exec(part.trim()) ?? []
    const from = Number(first ?? Number.NaN)
    const length = end === undefined ? 1 : Number(end) - from
    // More outputs than any network has.
    if (!(length >= 1 && length <= 1e7)) throw wrongIndices()
    return Array.from({ length }, (_, k) => from + k)
  })
  if (values.every(Number.isSafeInteger)) return values
  throw wrongIndices()
}

const wrongIndices = () =>
  new InvalidArgumentError('Expected indices such as 0,3 or ranges such as 0:100,200.')

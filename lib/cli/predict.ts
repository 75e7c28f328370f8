import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { deviationRows } from '../audit/deviations.js'
import { TangentError } from '../core/errors.js'
import { NetworkModel } from '../fit/network.js'
import { type FitOrigin, originOf } from '../fit/origin.js'
import { predictRows, sampleCount } from '../fit/rows.js'
import { loadModel } from '../fit/storage.js'
import {
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, collect } from './define.js'
import { inputFormatOption } from './input.js'
import { isNumbers } from './normalize.js'
import { savePredictions } from './predictions.js'
import { arrayOption, arrayPlace, formatOption } from './results.js'
import { closeInputs, openInputs, readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  out: string
  std?: string[]
  train?: string[]
  prior: number | 'evidence'
}

export const predictCommand: CommandDefinition = {
  examples: [
    'predict fit/ model.onnx --input x.npy --out y.npy',
    'predict fit/ model.onnx --input images.zarr --out y.zarr',
    'predict fit/ model.onnx --input x.npy --out y.npy --std s.npy',
    'predict fit/ model.onnx --input - --out - --format csv < x.npy > y.csv',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    arrayOption('where the predictions go').makeOptionMandatory(),
    formatOption(),
    new Option(
      '--std <file>',
      'posterior standard deviations (N, O), without noise: .npy, .npz, .csv or .zarr; where it is a number, or one for each channel, what the input is divided by, after --scale and --mean',
    ).argParser(collect),
    new Option(
      '--train <file>',
      'for --std: the samples of the fit, as --input, where they are no longer in the files that fit read',
    ).argParser(collect),
    new Option(
      '--prior <number>',
      'for --std: prior variance τ² of the change, 1: in the kernel’s units, or evidence: the most likely',
    )
      .argParser(prior)
      .default(1),
    // What is predicted is what was fitted.
    ...derivativeOptions().filter(
      ({ long = '' }) => !['--outputs', '--float64', '--std'].includes(long ?? ''),
    ),
  ],
  async run(session, [fit = '', model = ''], options: Options) {
    const place = await arrayPlace(options.out, '--out', options.format)
    const [stdFile, ...more] = options.std?.filter((text) => !isNumbers(text)) ?? []
    if (more.length > 0) throw new TangentError('BAD_ARGUMENT', 'Expected one file for --std')
    const std = stdFile === undefined ? undefined : await arrayPlace(stdFile, '--std')
    const fitted = await fittedModel(fit)
    const chosen = { ...options, output: options.output ?? fitted.origin?.output }
    const path = await adaptedNetwork(fit, model, options)
    await withNetwork(path, chosen, parametersOf(fitted, options), async (network) => {
      const again = std !== undefined
      const numbers = { ...options, std: options.std?.filter(isNumbers) ?? [], again }
      const inputs = await openInputs(options.input, network, numbers)
      const train = again
        ? await readInputs(options.train ?? (await fittedInputs(fit)), network, numbers)
        : undefined
      try {
        const { signal: stop } = session
        const count = await sampleCount(network, inputs, { signal: stop })
        const shape = await watched(session, options, ({ signal, onProgress }) =>
          savePredictions(place, predictRows(fitted, network, inputs, { signal, onProgress }), {
            count,
            flat: false,
            signal: stop,
          }),
        )
        if (std && train) {
          await watched(session, options, ({ signal, onProgress }) =>
            savePredictions(
              std,
              deviationRows(fitted, network, train, inputs, {
                ...{ signal, onProgress, prior: options.prior },
              }),
              { count, flat: false, signal: stop },
            ),
          )
          session.say(`Wrote posterior standard deviations to ${stdFile}`)
        }
        session.say(`Wrote predictions of shape (${shape.join(', ')}) to ${options.out}`)
        const deviations = stdFile === undefined ? {} : { std: stdFile }
        session.result({ shape, classes: fitted.classes ?? null, file: options.out, ...deviations })
      } finally {
        await closeInputs(inputs)
      }
    })
  },
}

/** The model in the folder that `fit` wrote, or in a file. */
async function fittedModel(path: string): Promise<NetworkModel> {
  const folder = (await stat(path).catch(() => undefined))?.isDirectory()
  const fitted = await loadModel(folder ? join(path, 'model.safetensors') : path)
  if (fitted instanceof NetworkModel) return fitted
  throw new TangentError(
    'BAD_FILE',
    `Expected a model that was fitted to a network but ${path} is one of features`,
  )
}

/**
 * The network that the model in a folder of `adapt` belongs to: the one there, with the new last layer,
 * where the one that was adapted is given.
 */
async function adaptedNetwork(folder: string, given: string, options: Options): Promise<string> {
  const text = await readFile(join(folder, 'choice.json'), 'utf8').catch(() => '{}')
  const { network: file, source } = JSON.parse(text) as Partial<{
    network: string
    source: FitOrigin
  }>
  if (typeof file !== 'string' || !source) return given
  const { output } = source
  return withNetwork(
    given,
    { ...options, output: options.output ?? output },
    { unsupported: 'defer' },
    async (network) => {
      const { network: structure, weights } = await originOf(network)
      const same = structure === source.network && weights === source.weights
      return same ? join(folder, file) : given
    },
  )
}

/** What the fit in this folder was made of. */
async function fittedInputs(folder: string): Promise<string[]> {
  const summary = await readFile(join(folder, 'summary.json'), 'utf8').catch(() => '{}')
  const { input } = JSON.parse(summary) as { input?: string[] | null }
  if (Array.isArray(input)) return input
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected --train with the samples of the fit for --std, as ${folder} does not tell their files`,
  )
}

function prior(text: string): number | 'evidence' {
  if (text === 'evidence') return text
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('Expected a number above 0, or evidence.')
}

/** The parameters that were fitted, unless the call says otherwise. */
function parametersOf({ layout }: NetworkModel, options: NetworkOptions) {
  const { parameter, freeze, tied, untied, constants, constant } = options
  if (parameter ?? freeze ?? tied ?? untied ?? constants ?? constant) return {}
  const names = layout.flatMap(({ weight, bias }) => (bias ? [weight, bias.name] : [weight]))
  return { parameters: names }
}

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { TangentError } from '../core/errors.js'
import { NetworkModel } from '../fit/network.js'
import { predictRows, sampleCount } from '../fit/rows.js'
import { loadModel } from '../fit/storage.js'
import {
  type CommandDefinition,
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  watched,
  withNetwork,
} from './command.js'
import { inputFormatOption } from './input.js'
import { savePredictions } from './predictions.js'
import { arrayOption, arrayPlace, formatOption } from './results.js'
import { closeInputs, openInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  out: string
}

export const predictCommand: CommandDefinition = {
  name: 'predict',
  arguments: '<fit> <model>',
  summary: "write a fitted model's predictions (N, O) for samples that may be larger than memory",
  examples: [
    'predict fit/ model.onnx --input x.npy --out y.npy',
    'predict fit/ model.onnx --input images.zarr --out y.zarr',
    'predict fit/ model.onnx --input - --out - --format csv < x.npy > y.csv',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    arrayOption('where the predictions go').makeOptionMandatory(),
    formatOption(),
    // What is predicted is what was fitted.
    ...derivativeOptions().filter(({ long }) => long !== '--outputs' && long !== '--float64'),
  ],
  async run(session, [fit = '', model = ''], options: Options) {
    const place = await arrayPlace(options.out, '--out', options.format)
    const fitted = await fittedModel(fit)
    const chosen = { ...options, output: options.output ?? fitted.origin?.output }
    await withNetwork(model, chosen, parametersOf(fitted, options), async (network) => {
      const { inputFormat: format } = options
      const inputs = await openInputs(options.input, network, { format })
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
        session.say(`Wrote predictions of shape (${shape.join(', ')}) to ${options.out}`)
        session.result({ shape, classes: fitted.classes ?? null, file: options.out })
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

/** The parameters that were fitted, unless the call says otherwise. */
function parametersOf({ layout }: NetworkModel, options: NetworkOptions) {
  const { parameter, freeze, tied, untied, constants, constant } = options
  if (parameter ?? freeze ?? tied ?? untied ?? constants ?? constant) return {}
  const names = layout.flatMap(({ weight, bias }) => (bias ? [weight, bias.name] : [weight]))
  return { parameters: names }
}

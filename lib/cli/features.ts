import { arraysOf, formsOf } from '../derivatives/features.js'
import {
  type CommandDefinition,
  derivativeOptions,
  inputOption,
  nonFiniteOption,
  watched,
  withNetwork,
} from './command.js'
import { inputFormatOption } from './input.js'
import { arraysOption, arraysPlace, saveArrays } from './results.js'
import { readInputs } from './samples.js'
import { checkStoreOptions, type RowsOptions, rowsToStore, storeOptions } from './store.js'

export const featuresCommand: CommandDefinition = {
  name: 'features',
  arguments: '<model>',
  summary: 'write tangent features in factors δ and h where these are smaller than the Jacobian',
  examples: [
    'features model.onnx --input x.npy --out features/',
    'features model.onnx --input images.npy --scale 1/255 --store F.zarr',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    arraysOption(
      'gets <parameter>_x.npy (N, O, …shape), or <parameter>_delta.npy (N, O, T, m) with _h.npy (N, T, k) or _columns.npy (N, T), and features.json',
    ),
    ...storeOptions(),
    nonFiniteOption(),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: RowsOptions) {
    checkStoreOptions(options)
    const { out, store } = options
    if (store !== undefined) return rowsToStore(session, model, { ...options, store }, 'features')
    const place = await arraysPlace(out as string, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      const features = await watched(session, options, (watch) => network.features(x, watch))
      const forms = new Map(formsOf(features).map(({ name, ...form }) => [name, form]))
      const describe = (array: string) => {
        const parameter = array.slice(0, array.lastIndexOf('/'))
        return { parameter, ...forms.get(parameter) }
      }
      const arrays = arraysOf(features)
      await saveArrays(place, arrays, 'features.json', describe, session.signal)
      session.say(`Wrote the features of ${features.size} parameters to ${out}`)
      session.result({ parameters: features.size, arrays: arrays.size, folder: out })
    })
  },
}

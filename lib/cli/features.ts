import { arraysOf, formsOf } from '../derivatives/features.js'
import { watched } from './command.js'
import { saveArrays } from './results.js'
import { rowsCommand } from './rows-command.js'

export const featuresCommand = rowsCommand({
  name: 'features',
  examples: [
    'features model.onnx --input x.npy --out features/',
    'features model.onnx --input images.npy --scale 1/255 --store F.zarr',
  ],
  files:
    'gets <parameter>_x.npy (N, O, …shape), or <parameter>_delta.npy (N, O, T, m) with _h.npy (N, T, k) or _columns.npy (N, T), and features.json',
  async write({ session, options, network, x, place }) {
    const features = await watched(session, options, (watch) => network.features(x, watch), network)
    const forms = new Map(formsOf(features).map(({ name, ...form }) => [name, form]))
    const describe = (array: string) => {
      const parameter = array.slice(0, array.lastIndexOf('/'))
      return { parameter, ...forms.get(parameter) }
    }
    const arrays = arraysOf(features)
    await saveArrays(place, arrays, 'features.json', describe, session.signal)
    session.say(`Wrote the features of ${features.size} parameters to ${options.out}`)
    session.result({ parameters: features.size, arrays: arrays.size, folder: options.out })
  },
})

import { watched } from './command.js'
import { saveArrays } from './results.js'
import { rowsCommand } from './rows-command.js'

export const jacobianCommand = rowsCommand({
  name: 'jacobian',
  examples: [
    'jacobian model.onnx --input x.npy --out jacobian/',
    'jacobian model.onnx --input x.npy --store J.zarr',
    'jacobian model.onnx --input x.npy --parameter fc.weight --outputs 0,1 --out jacobian/',
  ],
  files: 'gets <parameter>.npy (N, O, …shape) and parameters.json',
  async write({ session, options, network, x, place }) {
    const arrays = await watched(session, options, (watch) => network.jacobian(x, watch), network)
    const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]))
    const describe = (name: string) => ({ shape: shapes.get(name) })
    await saveArrays(place, arrays, 'parameters.json', describe, session.signal)
    session.say(`Wrote the Jacobians of ${arrays.size} parameters to ${options.out}`)
    session.result({ parameters: arrays.size, folder: options.out })
  },
})

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

export const jacobianCommand: CommandDefinition = {
  name: 'jacobian',
  arguments: '<model>',
  summary: 'write the Jacobian of the outputs by every parameter',
  examples: [
    'jacobian model.onnx --input x.npy --out jacobian/',
    'jacobian model.onnx --input x.npy --store J.zarr',
    'jacobian model.onnx --input x.npy --parameter fc.weight --outputs 0,1 --out jacobian/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    arraysOption('gets <parameter>.npy (N, O, …shape) and parameters.json'),
    ...storeOptions(),
    nonFiniteOption(),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: RowsOptions) {
    checkStoreOptions(options)
    const { out, store } = options
    if (store !== undefined) return rowsToStore(session, model, { ...options, store }, 'jacobian')
    const place = await arraysPlace(out as string, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      const arrays = await watched(session, options, (watch) => network.jacobian(x, watch))
      const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]))
      const describe = (name: string) => ({ shape: shapes.get(name) })
      await saveArrays(place, arrays, 'parameters.json', describe, session.signal)
      session.say(`Wrote the Jacobians of ${arrays.size} parameters to ${out}`)
      session.result({ parameters: arrays.size, folder: out })
    })
  },
}

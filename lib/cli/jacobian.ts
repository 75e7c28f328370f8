import { Option } from 'commander'
import {
  type CommandDefinition,
  derivativeOptions,
  inputOption,
  type NetworkOptions,
  nonFiniteOption,
  readInputs,
  saveFolder,
  watched,
  withNetwork,
} from './command.js'
import { checkFolder } from './places.js'

interface Options extends NetworkOptions {
  input: string[]
  outputs?: number[]
  nonFinite: 'throw' | 'return'
  out: string
}

export const jacobianCommand: CommandDefinition = {
  name: 'jacobian',
  arguments: '<model>',
  summary: 'write the Jacobian of the outputs by every parameter',
  examples: [
    'jacobian model.onnx --input x.npy --out jacobian/',
    'jacobian model.onnx --input x.npy --parameter fc.weight --outputs 0,1 --out jacobian/',
  ],
  options: [
    inputOption(),
    new Option(
      '--out <folder>',
      'gets <parameter>.npy (N, O, …shape) and parameters.json',
    ).makeOptionMandatory(),
    nonFiniteOption(),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: Options) {
    await checkFolder(options.out, '--out')
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network)
      const arrays = await watched(session, options, (watch) => network.jacobian(x, watch))
      const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]))
      const describe = (name: string) => ({ shape: shapes.get(name) })
      await saveFolder(options.out, arrays, 'parameters.json', describe, session.signal)
      session.say(`Wrote the Jacobians of ${arrays.size} parameters to ${options.out}`)
      session.result({ parameters: arrays.size, folder: options.out })
    })
  },
}

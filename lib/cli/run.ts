import { Option } from 'commander'
import {
  batchOption,
  inputOption,
  type NetworkOptions,
  outputsOption,
  watched,
  withNetwork,
} from './command.js'
import type { CommandDefinition } from './define.js'
import { inputFormatOption } from './input.js'
import { normalizeOptions } from './normalize.js'
import { arrayOption, arrayPlace, formatOption, saveArray } from './results.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  out: string
}

export const runCommand: CommandDefinition = {
  examples: [
    'run model.onnx --input x.npy --out y.npy',
    'run bert.onnx --input ids=ids.npy --input mask=mask.npy --out y.npy',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    arrayOption('where the output goes').makeOptionMandatory(),
    formatOption(),
    batchOption(),
    ...normalizeOptions(),
    new Option('--output <name>', 'another output than the first, or any value (info --values)'),
    outputsOption(),
  ],
  async run(session, [model = ''], options: Options) {
    const place = await arrayPlace(options.out, '--out', options.format)
    // A network without derivatives runs all the same.
    await withNetwork(model, options, { unsupported: 'defer' }, async (network) => {
      const x = await readInputs(options.input, network, options)
      const y = await watched(session, options, (watch) => network.run(x, watch))
      await saveArray(place, y, session.signal)
      session.say(`Wrote ${network.output} of shape (${y.shape.join(', ')}) to ${options.out}`)
      session.result({ output: network.output, shape: y.shape, file: options.out })
    })
  },
}

import { dirname } from 'node:path'
import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import { exportJvp } from '../export/jvp.js'
import { makeFolder, readSafetensors, writeFileAtomic } from '../io/index.js'
import { derivativeOptions, type NetworkOptions, watched, withNetwork } from './command.js'
import { type CommandDefinition, collect } from './define.js'
import { inputFormatOption } from './input.js'
import { checkFile } from './places.js'
import { arrayOption, arrayPlace, formatOption, saveArray } from './results.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input?: string[]
  direction: string
  outputs?: number[]
  out?: string
  export?: string
}

export const jvpCommand: CommandDefinition = {
  examples: [
    'jvp model.onnx --direction delta.safetensors --input x.npy --out jvp.npy',
    'jvp model.onnx --direction delta.safetensors --export jvp.onnx',
  ],
  options: [
    new Option(
      '--direction <file>',
      'a .safetensors file: by name of a parameter an array of its shape; others do not change',
    ).makeOptionMandatory(),
    new Option('--input <file>', 'samples, as in the other commands').argParser(collect),
    inputFormatOption(),
    arrayOption('where the derivative (N, O) of --input goes'),
    formatOption(),
    new Option(
      '--export <file>',
      'write the derivative as an ONNX network in standard operators: outputs tangent and value',
    ),
    ...derivativeOptions(),
  ],
  async run(session, [model = ''], options: Options) {
    const { out, export: target, input, outputs } = options
    if ((out === undefined) !== (input === undefined) && target === undefined) {
      throw new TangentError('BAD_ARGUMENT', 'Expected --input and --out together, or --export')
    }
    if (out === undefined && target === undefined) {
      throw new TangentError('BAD_ARGUMENT', 'Expected --out, --export or both but received none')
    }
    const place = out === undefined ? undefined : await arrayPlace(out, '--out', options.format)
    await checkFile(target, '--export')
    await withNetwork(model, options, {}, async (network) => {
      const { tensors } = await readSafetensors(options.direction)
      const x = input && (await readInputs(input, network, options))
      if (target !== undefined) {
        const bytes = await exportJvp(network, tensors, { outputs, x, signal: session.signal })
        await makeFolder(dirname(target))
        await writeFileAtomic(target, bytes, { signal: session.signal })
        session.say(`Wrote the derivative as a network to ${target}`)
      }
      let shape: readonly number[] | null = null
      if (place !== undefined && x !== undefined) {
        const found = await watched(
          session,
          options,
          (watch) => network.jvp(x, tensors, { ...watch, outputs }),
          network,
        )
        await saveArray(place, found, session.signal)
        shape = found.shape
        session.say(`Wrote the derivative of shape (${shape.join(', ')}) to ${out}`)
      }
      session.result({ file: out ?? null, shape, export: target ?? null })
    })
  },
}

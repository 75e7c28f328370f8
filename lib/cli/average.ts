import { Option } from 'commander'
import type { QuadratureRule } from '../derivatives/path.js'
import type { TangentKernel } from '../kernels/kernel.js'
import type { KernelSplit } from '../kernels/ntk.js'
import type { KernelKind } from '../native/engine.js'
import { averageKernel } from '../network/average.js'
import { checkpointPaths } from './checkpoints.js'
import {
  derivativeOptions,
  inputOption,
  kernelOptions,
  type NetworkOptions,
  watched,
  withNetwork,
} from './command.js'
import type { CommandDefinition } from './define.js'
import { inputFormatOption } from './input.js'
import { formatOption, kernelOutOption, kernelPlace, saveArray, saveArrays } from './results.js'
import { readInputs } from './samples.js'

interface Options extends NetworkOptions {
  input: string[]
  outputs?: number[]
  points: number
  rule: QuadratureRule
  kernel: KernelKind
  by: KernelSplit
  out: string
}

export const averageCommand: CommandDefinition = {
  examples: [
    'average start.onnx trained.onnx --input x.npy --out average.npy',
    'average model.onnx trained.safetensors --input x.npy --points 20 --rule gauss-legendre --out k.npy',
    'average model.onnx training/ --input x.npy --points 5 --by layer --out kernels/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option('--points <n>', 'nodes of the quadrature on each piece of the path')
      .default(50)
      .argParser(Number),
    new Option('--rule <rule>', 'midpoints of equal parts, or Gauss–Legendre nodes')
      .choices(['uniform', 'gauss-legendre'])
      .default('uniform'),
    ...kernelOptions('(N, O, N, O), (N, N) or (N, N, O)'),
    kernelOutOption().makeOptionMandatory(),
    formatOption(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, [model0 = '', ...checkpoints], options: Options) {
    const place = await kernelPlace(options)
    const files = await checkpointPaths(checkpoints)
    await withNetwork(model0, options, {}, async (network0) => {
      const x = await readInputs(options.input, network0, options)
      const path = [network0]
      try {
        for (const file of files) path.push(await network0.withParameters(file))
        const { kernel: kind, points, rule, by, out } = options
        const { kernel, parts, residual } = await watched(session, options, (watch) =>
          averageKernel(path, undefined, x, { ...watch, kernel: kind, points, rule, by }),
        )
        if (place.single) await saveArray(place.single, kernel, session.signal)
        else if (parts) {
          const describe = (name: string) => {
            const part = parts.get(name) as TangentKernel
            return { shape: part.shape, trace: part.trace() }
          }
          await saveArrays(place.several, parts, 'kernels.json', describe, session.signal)
        }
        const { absolute, relative } = residual
        session.say(
          `Wrote the path-averaged ${kind} kernel of shape (${kernel.shape.join(', ')}) to ${out}\n` +
            `Residual of f1 − f0 = F̄·Δθ with ${points} points${files.length > 1 ? ` on each of ${files.length} pieces` : ''}: ${absolute.toPrecision(4)} (${(100 * relative).toPrecision(3)} % of the change)`,
        )
        session.result({
          kernel: kind,
          shape: kernel.shape,
          trace: kernel.trace(),
          points,
          rule,
          pieces: files.length,
          residual: { absolute, relative },
          ...(parts ? { by, parts: parts.size, folder: out } : { file: out }),
        })
      } finally {
        for (const network of path.slice(1)) await network.dispose()
      }
    })
  },
}

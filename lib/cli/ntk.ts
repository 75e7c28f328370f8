import { Option } from 'commander'
import { TangentError } from '../core/errors.js'
import type { TangentKernel } from '../kernels/kernel.js'
import type { KernelMethod, KernelSplit } from '../kernels/ntk.js'
import type { MeasuredError } from '../native/device.js'
import type { KernelKind } from '../native/engine.js'
import {
  checkPrecision,
  derivativeOptions,
  inputOption,
  kernelOptions,
  methodOption,
  type NetworkOptions,
  nonFiniteOption,
  precisionOption,
  watched,
  withNetwork,
} from './command.js'
import { type CommandDefinition, collect, type Session } from './define.js'
import { inputFormatOption } from './input.js'
import { formatOption, kernelOutOption, kernelPlace, saveArray, saveArrays } from './results.js'
import { openInputs, readInputs } from './samples.js'
import {
  checkStoreOptions,
  fillStore,
  type StoreOptions,
  storeOptions,
  tellStatus,
} from './store.js'

interface Options extends NetworkOptions, StoreOptions {
  input: string[]
  input2?: string[]
  outputs?: number[]
  kernel: KernelKind
  by: KernelSplit
  method: KernelMethod
  nonFinite: 'throw' | 'return'
  out?: string
}

export const ntkCommand: CommandDefinition = {
  examples: [
    'ntk model.onnx --input x.npy --out kernel.npy',
    'ntk model.onnx --input x.npy --input2 test.npy --kernel trace --out kernel.npy',
    'ntk model.onnx --input x.npy --by layer --out kernels/',
  ],
  options: [
    inputOption(),
    inputFormatOption(),
    new Option('--input2 <file>', 'second samples, as --input (default: the same)').argParser(
      collect,
    ),
    ...kernelOptions('(N1, O, N2, O), (N1, N2) or (N1, N2, O)'),
    methodOption('it'),
    nonFiniteOption(),
    kernelOutOption(),
    ...storeOptions(),
    formatOption(),
    precisionOption(),
    ...derivativeOptions(),
  ],
  devices: true,
  async run(session, [model = ''], options: Options) {
    checkStoreOptions(options)
    checkPrecision(options)
    const { out, store } = options
    if (store !== undefined) return toStore(session, model, { ...options, store })
    const place = await kernelPlace({ ...options, out: out as string })
    await withNetwork(model, options, {}, async (network) => {
      const x = await readInputs(options.input, network, options)
      const x2 = options.input2 ? await readInputs(options.input2, network, options) : undefined
      const { kernel, method, by } = options
      if (place.single) {
        const total = await watched(
          session,
          options,
          (watch) => network.ntk(x, x2, { ...watch, kernel, method }),
          network,
        )
        await saveArray(place.single, total, session.signal)
        session.say(`Wrote the ${kernel} kernel of shape (${total.shape.join(', ')}) to ${out}`)
        const tf32 = toldPrecision(session, options, total)
        session.result({ kernel, shape: total.shape, ...traceOf(total), ...tf32, file: out })
        return
      }
      const parts = await watched(
        session,
        options,
        (watch) => network.ntk(x, x2, { ...watch, kernel, method, by: by as 'layer' }),
        network,
      )
      const describe = (name: string) => {
        const part = parts.get(name) as TangentKernel
        return { shape: part.shape, ...traceOf(part) }
      }
      await saveArrays(place.several, parts, 'kernels.json', describe, session.signal)
      session.say(`Wrote the ${kernel} kernels of ${parts.size} ${by}s to ${out}`)
      const tf32 = toldPrecision(session, options, parts.values().next().value)
      session.result({ kernel, by, parts: parts.size, ...tf32, folder: out })
    })
  },
}

async function toStore(
  session: Session,
  model: string,
  options: Options & { store: string },
): Promise<void> {
  // A store does not keep how far its products were off.
  if (options.precision === 'tf32')
    throw new TangentError('BAD_ARGUMENT', 'Expected --out together with --precision tf32')
  if (options.status) return tellStatus(session, options.store, options)
  await withNetwork(model, options, {}, async (network) => {
    const { input, input2, kernel, by, method, outputs, nonFinite, threads, memory } = options
    const x = await openInputs(input, network, options)
    const x2 = input2 && (await openInputs(input2, network, options))
    const call = { kernel, by, method, outputs, nonFinite, threads, memory }
    const request = { kind: 'ntk', x, x2, ...call } as const
    await fillStore(session, options, { network, request, input, input2 })
  })
}

/** Tells how far the call's products in TF32 were off. */
function toldPrecision(
  session: Session,
  { precision }: Options,
  kernel: TangentKernel | undefined,
): { tf32?: MeasuredError | null } {
  if (precision !== 'tf32' || !kernel) return {}
  const { tf32 } = kernel
  session.say(
    tf32
      ? `Products in TF32 were off by ${tf32.error.toExponential(1)} (relative), the largest of ${tf32.sampled} that were compared`
      : 'The processor computed it, in float32',
  )
  return { tf32: tf32 ?? null }
}

function traceOf(kernel: TangentKernel): { trace?: number } {
  return kernel.symmetric ? { trace: kernel.trace() } : {}
}

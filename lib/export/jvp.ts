import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { quote } from '../core/quote.js'
import { type Direction, directionArrays } from '../derivatives/direction.js'
import { type CallOptions, cores, outputIndices } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { ParameterChange } from './change.js'
import { checkExportable, exportModel } from './model.js'

/** Options of {@link exportJvp}. */
export interface ExportOptions extends Pick<CallOptions, 'signal'> {
  /** Flat indices of the outputs wanted, in the order wanted (default: all). */
  outputs?: readonly number[] | undefined
  /** Of a network whose branches its samples decide: samples that take the way that is wanted. */
  x?: Inputs | undefined
}

/** The core of a network in the form that is to be exported. */
export async function exportedCore(network: Network, { x, ...options }: ExportOptions) {
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  core.checkAlive()
  if (!core.architecture.pending) return core
  if (x !== undefined) return core.at(x, options)
  throw new TangentError(
    'UNSUPPORTED',
    'Expected a network of one form to export but its samples decide which branches it takes; options.x, samples that take the way that is wanted, chooses one',
  )
}

/**
 * Checks that tangents of a network can be exported, before anything is computed.
 * @throws TangentError `UNSUPPORTED` with every node whose tangent has no form in standard
 *   operators.
 * @example
 * ```js
 * import { buildMlp, checkExport, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
 * await checkExport(network, { outputs: [0] })
 * await network.dispose()
 * console.log('can be exported')
 * // can be exported
 * ```
 * @since 0.1.0
 */
export async function checkExport(network: Network, options: ExportOptions = {}): Promise<void> {
  checkCall(options)
  await checkExportable(await exportedCore(network, options))
}

/** Flat output indices that can be checked without running the network. */
export function exportedOutputs(outputs: readonly number[] | undefined): number[] | undefined {
  return outputs === undefined ? undefined : outputIndices(outputs, 2 ** 31)
}

/**
 * The derivative of a network's output along a change of its parameters, Σ_θ ∂f_o(x)/∂θ · Δθ, as an
 * ONNX model in standard operators that any runtime serves: forward rules, written out.
 *
 * ```ts
 * const bytes = await exportJvp(network, new Map([['fc.weight', { data, shape: [10, 128] }]]))
 * ```
 * @param direction Δθ: by name of a parameter an array of its shape; those not named do not change.
 * @returns the file's bytes. Its inputs are the network's, its outputs `tangent` (N, O), what
 *   {@link Network.jvp} computes, and `value` (N, O).
 * @throws TangentError `UNSUPPORTED` with every node whose tangent has no form in standard
 *   operators,
 *   `BAD_ARGUMENT` for an unknown or frozen parameter, or another shape.
 * @example
 * ```js
 * import { buildMlp, exportJvp, Network, writeOnnx } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
 *
 * // How the output changes when the weights grow by a factor: along themselves.
 * const direction = new Map(
 *   network.parameters.map(({ name }) => [name, network.weight(name)]),
 * )
 * await writeOnnx('tangent.onnx', await exportJvp(network, direction))
 * const exported = await Network.load('tangent.onnx', { unsupported: 'defer' })
 * console.log(exported.outputs.map(({ name }) => name).join(', '))
 * await Promise.all([network.dispose(), exported.dispose()])
 * // tangent, value
 * ```
 * @since 0.1.0
 */
export async function exportJvp(
  network: Network,
  direction: Direction,
  options: ExportOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkCall(options)
  const core = await exportedCore(network, options)
  const arrays = directionArrays(core, direction)
  const changes = new Map<string, ParameterChange>()
  core.architecture.active.forEach(({ parameter: { name, shape } }, p) => {
    const data = arrays[p]
    if (data?.some((value) => value !== 0)) changes.set(name, { data, shape: [...shape] })
  })
  const { output } = core.architecture
  return exportModel(core, {
    changes,
    outputs: exportedOutputs(options.outputs),
    form: 'pair',
    note: {
      docString: `The derivative of ${quote(output)} along a change of the network's parameters (tangent), and its value.`,
      metadata: { 'adaptive_tangent.form': 'jvp', 'adaptive_tangent.computes': 'J(x) Delta' },
    },
  })
}

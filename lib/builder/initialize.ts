import { badArgument, TangentError } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { quote } from '../core/quote.js'
import type { NdArray } from '../io/index.js'
import { cores } from '../model/core.js'
import type { Network } from '../network/network.js'
import { checkDraw, type DrawOptions, drawWeight } from './draw.js'
import { weightRoles } from './roles.js'

/** Options of {@link initialize}. */
export interface InitializeOptions extends DrawOptions {
  /** Parameters that keep their numbers, by name or label. */
  keep?: readonly string[] | undefined
}

/**
 * New random weights for a loaded network. What a parameter is used for tells its fan-in and fan-out,
 * whichever way round it is stored: dense weights, convolutions (kernel positions count; of a group
 * only its own channels), recurrent weights. Rows of an embedding, of which one is read at a time,
 * are N(0, 1); scales of norms become 1 and their shifts 0; slopes of PRelu, frozen parameters and
 * running statistics stay as they are. A weight with several uses is drawn for the first.
 * @returns arrays by name of the parameter, for {@link Network.withParameters}.
 * @throws TangentError `BAD_ARGUMENT` that names every parameter whose use tells no fan-in; a
 *   DOMException named AbortError.
 * @example
 * ```js
 * import { buildMlp, initialize, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(
 *   await buildMlp({ inputs: 100, hidden: [400], outputs: 1 }),
 * )
 * const weights = await initialize(network, { scheme: 'he', seed: 7 })
 * const other = await network.withParameters(weights)
 * for (const { name, shape } of other.parameters) console.log(name, shape.join(' × '))
 * await Promise.all([network.dispose(), other.dispose()])
 * // dense1.weight 400 × 100
 * // dense1.bias 400
 * // dense2.weight 1 × 400
 * // dense2.bias 1
 * ```
 * @since 0.1.0
 */
export async function initialize(
  network: Network,
  options: InitializeOptions = {},
): Promise<Map<string, NdArray<Float32Array>>> {
  checkCall(options)
  const core = cores.get(network)
  if (!core) throw badArgument('network', 'a Network', network)
  core.checkAlive()
  const draw = checkDraw(options, 'he')
  const { keep = [] } = options
  if (!Array.isArray(keep)) throw badArgument('options.keep', 'a list of parameters', keep)
  const { parameters, active } = core.architecture
  for (const name of keep) {
    if (parameters.some((parameter) => parameter.name === name || parameter.label === name))
      continue
    throw badArgument('options.keep', 'names of parameters of the network', name)
  }
  const roles = weightRoles(core.architecture)
  const wanted = active.filter(
    ({ parameter: { name, label } }) => !keep.includes(name) && !keep.includes(label),
  )
  const unknown = wanted.filter(({ parameter: { name } }) => {
    const role = roles.get(name)
    const lost = role?.kind === 'bias' && draw.biases === 'uniform' && role.fanIn === 0
    return !role || lost
  })
  if (unknown.length > 0) {
    const list = unknown
      .map(({ parameter, weight }) => `${quote(parameter.label)} (${weight.consumer?.op})`)
      .join(', ')
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected parameters whose use tells their fan-in but ${unknown.length} ${unknown.length === 1 ? 'tells' : 'tell'} none: ${list}; name them in options.keep to leave them as they are`,
    )
  }
  const weights = new Map<string, NdArray<Float32Array>>()
  for (const { parameter } of wanted) {
    const { name, shape, count } = parameter
    const role = roles.get(name)
    if (!role || role.kind === 'kept') continue
    // By its place among all, so that freezing one does not change the others' numbers.
    const index = parameters.indexOf(parameter)
    weights.set(name, { data: await drawWeight(role, count, index, draw), shape: [...shape] })
  }
  return weights
}

import { badArgument, oneOf } from '../../core/errors.js'
import { checkCall } from '../../core/options.js'
import { timed } from '../../core/progress.js'
import { held, heldInputs } from '../../io/held.js'
import type { NdArray } from '../../io/index.js'
import { notNegative } from '../../linear/checks.js'
import { type Core, cores } from '../../model/core.js'
import type { Inputs } from '../../model/inputs.js'
import type { Network } from '../../network/network.js'
import { picker } from '../kernels.js'
import { byGradients } from './gradients.js'
import { type HeadOfValue, heads } from './heads.js'
import { byModel } from './model.js'
import type { Influence, InfluenceMethod, InfluenceOptions, Task } from './types.js'
import { askedValue, checkValue } from './value.js'

/**
 * What every training sample does to a head of every query.
 * @param x N training samples
 * @param y their classes (N); of `leave-one-out` and `representer` numbers (N, O) as well, for heads `logit`
 * @param query N2 samples
 * @throws TangentError as {@link audit} does.
 * @since 0.2.0
 * @example
 * ```js
 * import { buildMlp, influence, Network } from 'adaptive-tangent'
 *
 * const network = await Network.load(await buildMlp({ inputs: 1, hidden: [32], outputs: 2 }))
 * const x = { data: Float32Array.from({ length: 20 }, (_, i) => i / 10 - 0.95), shape: [20, 1] }
 * const y = { data: Int32Array.from(x.data, (value) => Number(value > 0)), shape: [20] }
 * const query = { data: Float32Array.of(0.9), shape: [1, 1] }
 * const labels = { data: Int32Array.of(1), shape: [1] }
 * const { scores } = await influence(network, x, y, query, { method: 'cosine', labels })
 *
 * // A sample near the query, of its label, speaks for it.
 * console.log(scores.shape.join(' × '), scores.data[17] > 0)
 * await network.dispose()
 * // 1 × 20 true
 * ```
 */
export async function influence(
  network: Network,
  x: Inputs,
  y: NdArray,
  query: Inputs,
  options: InfluenceOptions = {},
): Promise<Influence> {
  checkCall(options)
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  const method = oneOf(options.method, methods, 'options.method')
  checkOptions(core, options, method)
  const { signal, threads, memory, onProgress } = options
  const common = { signal, threads, memory }
  const { head } = options
  const labels = held(options.labels, 'options.labels')
  const own = { x: heldInputs(x, 'x'), y: held(y, 'y'), query: heldInputs(query, 'query') }
  const asked = await picker(network, own.query, 'query', common)
  const task: Task = {
    ...{ network, core, method, common, options },
    x: await picker(network, own.x, 'x', common),
    y: own.y,
    query: asked,
    labels,
    value:
      typeof head === 'object'
        ? await askedValue(network, asked, { ...head }, labels, common)
        : undefined,
    progress: timed(onProgress),
  }
  const ofModel = method === 'leave-one-out' || method === 'representer'
  const found = await (ofModel ? byModel(task) : byGradients(task))
  task.progress(1)
  return found
}

const methods = [
  ...(['leave-one-out', 'representer', 'newton', 'trak', 'gradient', 'cosine'] as const),
] satisfies InfluenceMethod[]

/** What an option is for; anywhere else it would say nothing. */
function checkOptions(core: Core, options: InfluenceOptions, method: InfluenceMethod): void {
  const { head, metric, ridge, damping, model, checkpoints, sketch } = options
  if (typeof head === 'object' && head !== null) checkValue(core, head as HeadOfValue)
  else if (head !== undefined) oneOf(head, heads, 'options.head')
  for (const [name, value] of Object.entries({ ridge, damping })) {
    if (value !== undefined && value !== 'auto') notNegative(`options.${name}`, value)
  }
  if (damping === 0) throw badArgument('options.damping', 'a number above 0', 0)
  if (typeof metric !== 'object' || metric === null)
    oneOf(metric as undefined, ['identity', 'kron', 'diagonal'] as never, 'options.metric')
  const compares = method === 'gradient' || method === 'cosine'
  const solves = method === 'newton' || method === 'trak'
  const inverts = metric === 'kron' || metric === 'diagonal'
  const given: [name: string, value: unknown, used: boolean][] = [
    ['metric', metric === 'identity' ? undefined : metric, compares],
    ['ridge', ridge === 'auto' ? undefined : ridge, !compares && !solves],
    ['model', model, !compares && !solves],
    ['damping', damping === 'auto' ? undefined : damping, solves || (compares && inverts)],
    ['checkpoints', checkpoints, compares || solves],
    ['sketch', sketch, method === 'trak'],
  ]
  for (const [name, value, used] of given) {
    if (value !== undefined && !used)
      throw badArgument(`options.${name}`, `none with the method ${method}`, value)
  }
  if (model !== undefined && typeof head === 'object') {
    throw badArgument('options.model', 'none with a head that is a value of the graph', model)
  }
}

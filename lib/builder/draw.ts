// New numbers for weights.

import { abortError } from '../core/abort.js'
import { badArgument, wholeNumber } from '../core/errors.js'
import { normal, stream } from '../linear/random.js'
import type { WeightRole } from './roles.js'

/**
 * Variance of a weight: `he` 2/fan-in (He et al. 2015), `lecun` 1/fan-in (LeCun et al. 1998),
 * `glorot` 2/(fan-in + fan-out) (Glorot & Bengio 2010), `ntk` 1, for networks that scale in the
 * graph (Jacot et al. 2018).
 */
export type InitializationScheme = 'he' | 'lecun' | 'glorot' | 'ntk'

/** How weights are drawn. */
export interface DrawOptions {
  /** Default: `he`, and `ntk` for a built network of that parameterisation. */
  scheme?: InitializationScheme | undefined
  /** Normal numbers of at most two deviations, widened to the same variance (default: false). */
  truncated?: boolean | undefined
  /** A whole number ≥ 0 (default 1): the same seed gives the same numbers on every machine. */
  seed?: number | undefined
  /**
   * Biases: `zeros` (default), `uniform` in ±1/√fan-in of their layer as PyTorch draws them, or
   * `normal` with variance 1 (default for `ntk`).
   */
  biases?: 'zeros' | 'uniform' | 'normal' | undefined
  signal?: AbortSignal | undefined
}

export interface CheckedDraw {
  scheme: InitializationScheme
  truncated: boolean
  seed: number
  biases: 'zeros' | 'uniform' | 'normal'
  signal: AbortSignal | undefined
}

const schemes: readonly InitializationScheme[] = ['he', 'lecun', 'glorot', 'ntk']
const biasKinds = ['zeros', 'uniform', 'normal']

/** Standard deviation of a standard normal number cut off at two. */
const cutDeviation = 0.8796256610342398

/** Numbers between which other work of the thread gets its turn. */
const breath = 1 << 18

export function checkDraw(options: DrawOptions, fallback: InitializationScheme): CheckedDraw {
  const { scheme = fallback, truncated = false, seed = 1, signal } = options
  const { biases = scheme === 'ntk' ? 'normal' : 'zeros' } = options
  if (!schemes.includes(scheme)) {
    throw badArgument('options.scheme', `one of ${schemes.join(', ')}`, scheme)
  }
  if (typeof truncated !== 'boolean') throw badArgument('options.truncated', 'a boolean', truncated)
  wholeNumber('options.seed', seed, 0)
  if (!biasKinds.includes(biases)) {
    throw badArgument('options.biases', `one of ${biasKinds.join(', ')}`, biases)
  }
  return { scheme, truncated, seed, biases, signal }
}

function variance(scheme: InitializationScheme, { fanIn, fanOut }: WeightRole): number {
  if (scheme === 'ntk') return 1
  if (scheme === 'glorot') return 2 / (fanIn + fanOut)
  return (scheme === 'he' ? 2 : 1) / fanIn
}

/**
 * Numbers of one weight by its role.
 * @param index which weight of the network it is: every weight has a stream of its own.
 */
export async function drawWeight(
  role: WeightRole,
  count: number,
  index: number,
  { scheme, truncated, seed, biases, signal }: CheckedDraw,
): Promise<Float32Array> {
  const data = new Float32Array(count)
  const uniform = stream(seed, index)
  const fill = async (next: () => number) => {
    for (let start = 0; start < count; start += breath) {
      if (signal?.aborted) throw abortError(signal)
      if (start > 0) await new Promise((resolve) => setImmediate(resolve))
      const end = Math.min(count, start + breath)
      for (let e = start; e < end; e += 1) data[e] = next()
    }
    return data
  }
  if (role.kind === 'scale') return data.fill(1)
  if (role.kind === 'shift' || (role.kind === 'bias' && biases === 'zeros')) return data
  if (role.kind === 'bias' && biases === 'uniform') {
    const limit = 1 / Math.sqrt(role.fanIn)
    return fill(() => limit * (2 * uniform() - 1))
  }
  const plain = role.kind !== 'weight'
  const deviation = plain ? 1 : Math.sqrt(variance(scheme, role))
  if (!truncated) return fill(() => deviation * normal(uniform))
  return fill(() => {
    for (;;) {
      const value = normal(uniform)
      if (Math.abs(value) <= 2) return (deviation / cutDeviation) * value
    }
  })
}

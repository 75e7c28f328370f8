// Head, ridge and price by folds, in all of which everything that saw a label is fitted again.

import { networkFeatures } from '../fit/blocks.js'
import type { CandidatePrice } from '../fit/choices.js'
import { rowsOf } from '../fit/folds.js'
import { featureOptions, type NetworkFitOptions, residualOf } from '../fit/network.js'
import type { SettledPrice } from '../fit/price.js'
import { defaultPrices, type FoldSource, searchFolds } from '../fit/selection.js'
import { searchSoftmax } from '../fit/softmax.js'
import { type Declared, type SettledInputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import type { FoldPlan } from './folds.js'
import { fitHead, type Penultimate } from './linear-head.js'

/** A network with a head that labels have to be seen for. */
export interface OpenHead {
  h: Penultimate
  /** s of s·(W h + b). */
  scale: number
  /** Names of W and b. */
  weight: string
  bias: string
}

/** What is fitted: samples, numbers (N, O), and where the head is fitted as well, what it sees. */
export interface AdaptProblem {
  network: Network
  x: SettledInputs
  declared: Declared
  /** (N, O) */
  y: Float64Array
  samples: number
  outputs: number
  open: OpenHead | undefined
  loss: AdaptLoss
  plan: FoldPlan
}

/** What is fitted: ½‖f − y‖², or the cross-entropy of softmax(f). */
export type AdaptLoss = 'squared' | 'softmax'

/** One candidate; of a new head with the ridge that it was fitted with. */
export interface AdaptCandidate extends CandidatePrice {
  headRidge: number | null
}

/** What was chosen, and from what. */
export interface AdaptSelection {
  /** What the errors are: mean squared ones, or mean cross-entropy (`softmax`). */
  loss: AdaptLoss
  ridge: number
  price: SettledPrice
  headRidge: number | null
  grid: AdaptCandidate[]
  /** Of adapted features over fixed ones; see `PriceSelection`. */
  gain: { mean: number; standardError: number } | null
}

/** Of the kernel's mean diagonal. */
const ratios = [1e-4, 1e-3, 1e-2, 0.1, 1]
/** Of the head's own best ridge: what the head leaves open, the features below it can learn. */
const headFactors = [1, 10, 100]
/** Of the best ridge of fixed features, which is too small for adapted ones. */
const adaptiveFactors = [1, 10]
const fixed = Number.POSITIVE_INFINITY

/** The network with a head that was fitted to some of the samples; the caller disposes of it. */
export async function withFittedHead(
  { network, y, outputs }: AdaptProblem,
  open: OpenHead,
  rows: readonly number[],
  ridge: number,
  options: NetworkFitOptions,
): Promise<Network> {
  const { signal, threads } = options
  const scaled = y.map((value) => value / open.scale)
  const { weight, bias } = await fitHead(open.h, scaled, rows, ridge, { signal, threads })
  return network.withParameters(
    new Map([
      [open.weight, { ...weight, shape: [outputs, open.h.width] }],
      [open.bias, bias],
    ]),
  )
}

/** Folds of a network whose head is fitted again in each. */
function foldsWithHead(
  problem: AdaptProblem,
  open: OpenHead,
  ridge: number,
  options: NetworkFitOptions,
): FoldSource {
  const { x, declared, y, samples, outputs, plan } = problem
  return {
    samples,
    order: plan.order,
    async part(kept, held) {
      const network = await withFittedHead(problem, open, kept, ridge, options)
      const side = async (rows: readonly number[]) => {
        const own = await samplesOf(x, declared, rows)
        const target = { data: rowsOf(y, rows, outputs), shape: [rows.length, outputs] }
        const { residual, targets } = await residualOf(network, own, target, options)
        const offset = targets.map((value, r) => value - (residual[r] as number))
        const { features } = await networkFeatures(network, own, featureOptions(options))
        return { residual, offset, features }
      }
      try {
        const [train, test] = [await side(kept), await side(held)]
        return {
          train: train.features,
          known: train.residual,
          test: test.features,
          truth: test.residual,
          offsets: { train: train.offset, test: test.offset },
        }
      } finally {
        await network.dispose()
      }
    },
  }
}

/** Folds of a network that has seen no label: its features are computed once. */
async function foldsAsIs(problem: AdaptProblem, options: NetworkFitOptions): Promise<FoldSource> {
  const { network, x, y, samples, outputs, plan } = problem
  const target = { data: y, shape: [samples, outputs] }
  const { residual, targets } = await residualOf(network, x, target, options)
  const offset = targets.map((value, r) => value - (residual[r] as number))
  const { features } = await networkFeatures(network, x, featureOptions(options))
  return {
    samples,
    order: plan.order,
    part: async (kept, held) => ({
      train: await features.select(kept),
      known: rowsOf(residual, kept, outputs),
      test: await features.select(held),
      truth: rowsOf(residual, held, outputs),
      offsets: { train: rowsOf(offset, kept, outputs), test: rowsOf(offset, held, outputs) },
    }),
  }
}

/** Mean diagonal of the kernel of all samples: the unit of ridges. */
async function meanDiagonal(
  problem: AdaptProblem,
  headRidge: number | null,
  options: NetworkFitOptions,
): Promise<number> {
  const { network, x, samples, open } = problem
  const all = Array.from({ length: samples }, (_, i) => i)
  const own = open
    ? await withFittedHead(problem, open, all, headRidge as number, options)
    : network
  try {
    const { signal, threads, memory } = options
    const { data } = await own.ntk(x, { kernel: 'diagonal', signal, threads, memory })
    const outputs = problem.outputs
    // (N, N, O): of each sample with itself.
    let sum = 0
    for (let i = 0; i < samples; i += 1) {
      for (let o = 0; o < outputs; o += 1) sum += data[(i * samples + i) * outputs + o] as number
    }
    return sum / (samples * outputs)
  } finally {
    if (own !== network) await own.dispose()
  }
}

/** Chooses the head's ridge, the ridge and the price. */
export async function choose(
  problem: AdaptProblem,
  bestHeadRidge: number | null,
  options: NetworkFitOptions,
  onFraction: (fraction: number) => void,
): Promise<AdaptSelection> {
  const { price = 'auto', ridge = 'auto', structure } = options
  const { open, plan, loss } = problem
  const heads = open ? headFactors.map((factor) => factor * (bestHeadRidge as number)) : [null]
  const base = { folds: plan.folds, repeats: plan.repeats }
  const alone = structure === 'fixed' || price === fixed || loss === 'softmax'
  const openPrice = price === 'auto' && !alone
  const grid: AdaptCandidate[] = []
  const once = open ? undefined : await foldsAsIs(problem, options)
  const sourceOf = (head: number | null) =>
    once ?? foldsWithHead(problem, open as OpenHead, head as number, options)
  const search = async (
    head: number | null,
    ridges: readonly number[],
    prices: readonly SettledPrice[],
    part: [number, number],
  ) => {
    const onProgress = ({ fraction }: { fraction: number }) =>
      onFraction(part[0] + fraction * (part[1] - part[0]))
    const own = { ...options, selection: { ...base, onProgress } }
    const found =
      loss === 'softmax'
        ? await searchSoftmax(sourceOf(head), ridges, own)
        : await searchFolds(sourceOf(head), { ridges, prices }, own)
    const known = new Set(grid.map(keyOf))
    for (const each of found.grid) {
      const candidate = { ...each, headRidge: head }
      if (!known.has(keyOf(candidate))) grid.push(candidate)
    }
    return found
  }
  const first: readonly SettledPrice[] = [openPrice || alone ? fixed : (price as SettledPrice)]
  const share = openPrice ? 0.3 : 1
  for (const [k, head] of heads.entries()) {
    const ridges = ridge === 'auto' ? await scaled(problem, head, options) : [ridge]
    await search(head, ridges, first, [
      (share * k) / heads.length,
      (share * (k + 1)) / heads.length,
    ])
  }
  const best = grid.reduce((a, b) => (b.error < a.error ? b : a))
  if (!openPrice) {
    const { headRidge } = best
    return { loss, ridge: best.ridge, price: best.price, headRidge, grid, gain: null }
  }
  const ridges = ridge === 'auto' ? adaptiveFactors.map((factor) => factor * best.ridge) : [ridge]
  const prices = [...new Set([fixed, ...(options.selection?.prices ?? defaultPrices)])].sort(
    (a, b) => b - a,
  )
  const found = await search(best.headRidge, ridges, prices, [share, 1])
  return {
    loss,
    ridge: found.ridge,
    price: found.price,
    headRidge: best.headRidge,
    grid,
    gain: found.gain,
  }
}

const keyOf = ({ headRidge, ridge, price }: AdaptCandidate) =>
  JSON.stringify([headRidge, ridge, price === fixed ? 'infinite' : price])

async function scaled(
  problem: AdaptProblem,
  head: number | null,
  options: NetworkFitOptions,
): Promise<readonly number[]> {
  const given = options.selection?.ridges ?? []
  if (given.length > 0) return given
  const unit = await meanDiagonal(problem, head, options)
  return ratios.map((ratio) => ratio * unit)
}

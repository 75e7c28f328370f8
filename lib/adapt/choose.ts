// Head, ridge and price by folds, in all of which everything that saw a label is fitted again.

import type { Progress } from '../core/progress.js'
import { networkFeatures } from '../fit/blocks.js'
import type { CandidatePrice, PriceSelection } from '../fit/choices.js'
import { rowsOf } from '../fit/folds.js'
import type { SelectionError } from '../fit/held-out.js'
import { featureOptions, type NetworkFitOptions, residualOf } from '../fit/network.js'
import type { SettledPrice } from '../fit/price.js'
import { type FitLoss, searchRidge } from '../fit/ridge-folds.js'
import { type Candidates, defaultPrices, type FoldSource, searchFolds } from '../fit/selection.js'
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
  by: SelectionError
  plan: FoldPlan
}

/** What is fitted: ½‖f − y‖², or the cross-entropy of softmax(f). */
export type AdaptLoss = FitLoss

/** One candidate; of a new head with the ridge that it was fitted with. */
export interface AdaptCandidate extends CandidatePrice {
  /** Of the new head; null where the network's own was kept. */
  headRidge: number | null
}

/** What was chosen, and from what. */
export interface AdaptSelection {
  /** What was fitted. */
  loss: AdaptLoss
  /**
   * What errors are: the mean squared error of held-out rows of numbers; of classes the cross-entropy of
   * held-out samples, with outputs scaled to fit it best where they were not fitted by it.
   */
  by: SelectionError
  /** λ of the fit. */
  ridge: number
  /** Infinity: fixed features. */
  price: SettledPrice
  /** Of the new head; null where the network's own was kept. */
  headRidge: number | null
  /** All candidates. */
  grid: AdaptCandidate[]
  /** Whether the ridge is the least or the largest that was tried with fixed features. */
  end: 'least' | 'largest' | null
  /** Of adapted features over fixed ones; see `PriceSelection`. */
  gain: { mean: number; standardError: number } | null
}

/** Of the kernel's mean diagonal. */
const ratios = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10]
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

/** Candidates, tried by folds part by part. */
class Search {
  readonly grid: AdaptCandidate[] = []
  readonly #problem: AdaptProblem
  readonly #options: NetworkFitOptions
  readonly #tell: (fraction: number) => void
  #once: FoldSource | undefined

  constructor(problem: AdaptProblem, options: NetworkFitOptions, tell: (fraction: number) => void) {
    this.#problem = problem
    this.#options = options
    this.#tell = tell
  }

  /** Of those so far. */
  get best(): AdaptCandidate {
    return this.grid.reduce((a, b) => (b.error < a.error ? b : a))
  }

  /** @param part of the progress that this is */
  async try(
    head: number | null,
    { ridges, prices }: Candidates,
    part: readonly [number, number],
  ): Promise<PriceSelection> {
    const { plan, loss, by } = this.#problem
    const { folds, repeats } = plan
    const onProgress = ({ fraction }: Progress) =>
      this.#tell(part[0] + fraction * (part[1] - part[0]))
    const options = { ...this.#options, selection: { folds, repeats, onProgress } }
    const source = await this.#sourceOf(head)
    const found = prices.every((price) => price === fixed)
      ? await searchRidge(source, ridges, { loss, by }, options)
      : await searchFolds(source, { ridges, prices }, options, by)
    const known = new Set(this.grid.map(keyOf))
    for (const each of found.grid) {
      const candidate = { ...each, headRidge: head }
      if (!known.has(keyOf(candidate))) this.grid.push(candidate)
    }
    return found
  }

  async #sourceOf(head: number | null): Promise<FoldSource> {
    const { open } = this.#problem
    if (open) return foldsWithHead(this.#problem, open, head as number, this.#options)
    this.#once ??= await foldsAsIs(this.#problem, this.#options)
    return this.#once
  }
}

const keyOf = ({ headRidge, ridge, price }: AdaptCandidate) =>
  JSON.stringify([headRidge, ridge, price === fixed ? 'infinite' : price])

/** Share of the progress that fixed features take where prices are tried as well. */
const fixedShare = 0.3

/**
 * Chooses the head's ridge and the ridge with fixed features (or those of the price that is given), then,
 * where the price is open, the price with the ridges that suit it.
 * @param tell is told the fraction that is done
 */
export async function choose(
  problem: AdaptProblem,
  bestHeadRidge: number | null,
  options: NetworkFitOptions,
  tell: (fraction: number) => void,
): Promise<AdaptSelection> {
  const { price = 'auto', ridge = 'auto', structure, selection = {} } = options
  const { open, loss, by } = problem
  const given = ridge === 'auto' ? (selection.ridges ?? []) : [ridge]
  const alone = structure === 'fixed' || price === fixed || loss === 'softmax'
  const choosePrice = price === 'auto' && !alone
  const search = new Search(problem, options, tell)
  const heads = open ? headFactors.map((factor) => factor * (bestHeadRidge as number)) : [null]
  const first = alone || price === 'auto' ? fixed : price
  const share = (choosePrice ? fixedShare : 1) / heads.length
  for (const [k, head] of heads.entries()) {
    const ridges = given.length > 0 ? given : await ridgesFor(problem, head, options)
    await search.try(head, { ridges, prices: [first] }, [share * k, share * (k + 1)])
  }
  const { grid, best } = search
  const { headRidge } = best
  const end = given.length > 0 ? null : endOf(grid, best)
  const common = { loss, by, headRidge, grid, end }
  if (!choosePrice) return { ...common, ridge: best.ridge, price: best.price, gain: null }
  const ridges = given.length > 0 ? given : adaptiveFactors.map((factor) => factor * best.ridge)
  const prices = [...new Set([fixed, ...(selection.prices ?? defaultPrices)])]
  prices.sort((a, b) => b - a)
  const found = await search.try(headRidge, { ridges, prices }, [fixedShare, 1])
  return { ...common, ridge: found.ridge, price: found.price, gain: found.gain }
}

/** Candidates in the kernel's own unit. */
async function ridgesFor(
  problem: AdaptProblem,
  head: number | null,
  options: NetworkFitOptions,
): Promise<readonly number[]> {
  const unit = await meanDiagonal(problem, head, options)
  return ratios.map((ratio) => ratio * unit)
}

function endOf(grid: readonly AdaptCandidate[], best: AdaptCandidate): AdaptSelection['end'] {
  const ridges = grid.filter((one) => one.headRidge === best.headRidge).map((one) => one.ridge)
  if (best.ridge === Math.min(...ridges)) return 'least'
  return best.ridge === Math.max(...ridges) ? 'largest' : null
}

// The methods that start from the network: fixed and adaptive tangent features, and fine-tuning.

import { heldOut, shuffled } from '../../lib/fit/folds.js'
import {
  fitAdaptive,
  fitFixed,
  type NdArray,
  type Network,
  type NetworkFitOptions,
  type PriceSelection,
  train,
} from '../../lib/index.js'
import type { Budget, Samples, Split } from './task.js'

/** Predictions (N·O) of the test inputs, and what was chosen. */
export interface Outcome {
  prediction: ArrayLike<number>
  chosen?: Record<string, number | string>
}

/**
 * Price and ridge by folds; fixed features are the ∞ of the same grid, and `always` is the best of it
 * that adapts, gain or none.
 */
export async function tangentMethods(
  { network, outputs, fit, test }: Split,
  budget: Budget,
): Promise<Partial<Record<'fixed' | 'one' | 'two' | 'always', Outcome>>> {
  const common = { outputs, threads: 1 }
  const { model: near } = await fitFixed(network, fit.x, fit.y, { ...common, ridge: 'auto' })
  const ridges = budget.ridges.map((factor) => factor * near.ridge)
  const selection = { ...budget, ridges }
  const auto = { price: 'auto' as const, ridge: 'auto' as const, selection }
  const fitted = async (setting: NetworkFitOptions) => {
    const found = await fitAdaptive(network, fit.x, fit.y, { ...common, ...close, ...setting })
    const { data } = await found.predict(network, test.x, { threads: 1 })
    const { price, ridge, largestStretch } = found.model
    const chosen = {
      price: Number.isFinite(price.value) ? (price.relative as number) : 'infinite',
      ridge: rounded(ridge / near.ridge),
      stretch: rounded(largestStretch),
    }
    return { model: found.model, outcome: { prediction: data, chosen } }
  }
  const one = budget.oneSide ? await fitted({ ...auto, left: 'none' }) : undefined
  const two = await fitted(auto)
  const { grid, gain } = two.model.selection as PriceSelection
  const again = async (finite: boolean) => {
    const some = grid.filter(({ price }) => Number.isFinite(price) === finite)
    const same = Number.isFinite(two.model.price.value) === finite
    if (same || some.length === 0) return two.outcome
    const { price, ridge } = some.reduce((a, b) => (b.error < a.error ? b : a))
    return (await fitted({ price, ridge })).outcome
  }
  const always = await again(true)
  const earned = { gain: rounded(gain?.mean ?? 0), error: rounded(gain?.standardError ?? 0) }
  return {
    fixed: await again(false),
    ...(one && { one: one.outcome }),
    two: two.outcome,
    always: { ...always, chosen: { ...always.chosen, ...earned } },
  }
}

/** Far closer than the test error can tell. */
const close = { tolerance: 1e-8, stationarity: 1e-4, maxIterations: 500 }

const rounded = (value: number) => Number(value.toPrecision(3))

/** All weights by Adam on squared loss; rate and number of epochs by the same folds. */
export async function fineTuning(split: Split, budget: Budget): Promise<Outcome> {
  const { network, fit, test } = split
  const { folds, repeats, rates, looks, epochs } = budget
  const samples = fit.x.shape[0] as number
  const sums = rates.map(() => new Float64Array(looks))
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const order = shuffled(samples, 1 + repeat)
    for (let fold = 0; fold < folds; fold += 1) {
      const [kept, held] = heldOut(order, fold, folds)
      for (const [r, rate] of rates.entries()) {
        const [known, judged] = [rowsOf(fit, kept), rowsOf(fit, held)]
        const losses = await lossesAlong(network, known, judged, rate, budget)
        losses.forEach((loss, look) => {
          const sum = sums[r] as Float64Array
          sum[look] = (sum[look] as number) + loss
        })
      }
    }
  }
  const all = sums.flatMap((row, r) => [...row].map((error, look) => ({ error, r, look })))
  const best = all.reduce((a, b) => (b.error < a.error ? b : a))
  const rate = rates[best.r] as number
  const count = ((best.look + 1) * epochs) / looks
  const { weights } = await trained(network, fit, { rate, epochs: count, budget })
  await using tuned = await network.withParameters(weights)
  return { prediction: await outputsOf(tuned, test.x, split), chosen: { rate, epochs: count } }
}

/** What the network says before. */
export const untouched = async (split: Split): Promise<Outcome> => ({
  prediction: await outputsOf(split.network, split.test.x, split),
})

async function outputsOf(network: Network, x: NdArray, { outputs }: Split): Promise<Float64Array> {
  const { data, shape } = await network.run(x)
  const width = shape[1] as number
  const columns = outputs ?? Array.from({ length: width }, (_, o) => o)
  return Float64Array.from({ length: (shape[0] as number) * columns.length }, (_, r) => {
    const i = Math.floor(r / columns.length)
    return Number(data[i * width + (columns[r % columns.length] as number)])
  })
}

/** Held-out losses after every look; what diverges is infinitely bad. */
async function lossesAlong(
  network: Network,
  known: Samples,
  judged: Samples,
  rate: number,
  budget: Budget,
): Promise<number[]> {
  const { epochs, looks } = budget
  const { history } = await trained(network, known, { rate, epochs, budget, judged })
  return history.flatMap(({ testLoss }, e) =>
    (e + 1) % (epochs / looks) === 0 ? [testLoss ?? Number.POSITIVE_INFINITY] : [],
  )
}

function trained(
  network: Network,
  { x, y }: Samples,
  {
    rate,
    epochs,
    budget,
    judged,
  }: { rate: number; epochs: number; budget: Budget; judged?: Samples },
) {
  return train(
    network,
    { x, target: y },
    {
      loss: 'squared',
      optimizer: { kind: 'adam', learningRate: rate },
      epochs,
      batch: Math.min(budget.batch, x.shape[0] as number),
      seed: 1,
      threads: 1,
      test: judged && { x: judged.x, target: judged.y },
      evaluateEvery: budget.epochs / budget.looks,
    },
  )
}

function rowsOf({ x, y }: Samples, rows: readonly number[]): Samples {
  const pick = <A extends NdArray>({ data, shape }: A): A => {
    const size = shape.slice(1).reduce((product, d) => product * d, 1)
    const kept = rows.flatMap((i) => [...(data as Float32Array).subarray(i * size, (i + 1) * size)])
    const made = (data as Float32Array).constructor as unknown as typeof Float32Array
    return { data: made.from(kept), shape: [rows.length, ...shape.slice(1)] } as A
  }
  return { x: pick(x), y: pick(y) }
}

// The solver's fits on the same fixed sets: squared loss on classes, ridge by cross-validation.
import {
  type AdaptiveOptions,
  crossValidate,
  fitFeatures,
  type NdArray,
  type Network,
  NetworkModel,
  networkFeatures,
} from 'adaptive-tangent'
import type { Context, CurveOptions } from './context.js'
import {
  type CurvePlan,
  type CurvePoint,
  firstOf,
  fixedSet,
  ifStored,
  initialNetwork,
  NotStored,
} from './curves.js'
import type { DataSet, Images } from './data.js'
import { bestRidge } from './search.js'

export const solverModels = ['solver fixed', 'solver adaptive'] as const

/** Of the cross-validation that chooses the ridge. */
export const foldsOf = (scale: Context['scale']) => (scale === 'paper' ? 5 : 3)

export interface SolverSettings {
  n: number
  seed: number
  /** Ridges over the kernel's mean diagonal, from the largest: it wins where errors are equal. */
  ridges: readonly number[]
  /** The ridge where the search among them starts (see {@link bestRidge}). */
  from: number
  folds: number
  /** What chooses the ridge. */
  by: 'held-out classes'
  /** Kernel solves of an adaptive fit at most. */
  iterations: number
  testSamples: number
  width: number
}

interface SolverRun {
  model: (typeof solverModels)[number]
  error: number
  /** In units of the kernel's mean diagonal. */
  ridge: number
  iterations: number
}

/** The solver's points of the figure. */
export async function solverPoints(
  data: DataSet,
  plan: CurvePlan,
  options: CurveOptions,
  context: Context,
): Promise<CurvePoint[]> {
  const { scale, seeds, store } = context
  const most = options.solver ?? { paper: 1000, quick: 250, tiny: 40 }[scale]
  const sizes = scale === 'tiny' ? [Math.min(most, 40)] : plan.sizes.filter((n) => n <= most)
  const points: CurvePoint[] = []
  for (const seed of seeds) {
    for (const n of sizes) {
      const settings: SolverSettings = {
        n,
        seed,
        ridges:
          scale === 'paper' ? [30, 10, 3, 1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001] : [1, 0.1, 0.01],
        from: 1,
        folds: foldsOf(scale),
        by: 'held-out classes',
        iterations: { paper: 200, quick: 40, tiny: 8 }[scale],
        testSamples: plan.settings(n).testSamples,
        width: plan.width,
      }
      const name = `solver-${data.name}-n${n}-s${seed}`
      const found = await ifStored(() =>
        store.once(name, settings, () => {
          if (context.stored) throw new NotStored(name)
          return solverRun(data, settings, context)
        }),
      )
      for (const { model, error, ridge } of found ?? []) {
        let point = points.find((other) => other.n === n && other.model === model)
        if (!point) {
          point = {
            n,
            model,
            learningRate: ridge,
            epochs: [],
            errors: [],
            bestEpochs: [],
            last: [],
          }
          points.push(point)
        }
        point.errors.push(error)
        point.last.push(error)
      }
    }
  }
  return points
}

async function solverRun(
  data: DataSet,
  settings: SolverSettings,
  { threads, say }: Context,
): Promise<SolverRun[]> {
  const { n, seed, ridges, from, folds, iterations, testSamples, width } = settings
  await using network = await initialNetwork(data, width, seed, threads)
  const own = fixedSet(data, n, seed)
  const test = firstOf(data.test, testSamples)
  const x = { data: own.data, shape: own.shape }
  const { features, layout } = await networkFeatures(network, x)
  const base = Float64Array.from((await network.run(x)).data as Float32Array)
  const outputs = base.length / n
  // One-hot less its mean, so that no class is preferred.
  const residual = base.map((f, r) => {
    const label = own.labels[Math.floor(r / outputs)]
    return (r % outputs === label ? 1 : 0) - 1 / outputs - f
  })
  const kernel = await features.kernel()
  const rows = residual.length
  let trace = 0
  for (let r = 0; r < rows; r += 1) trace += kernel[r * rows + r] as number
  const runs: SolverRun[] = []
  for (const model of solverModels) {
    const options: AdaptiveOptions = {
      structure: model === 'solver fixed' ? 'fixed' : 'matrix',
      // The paper's Ω, as it stands there.
      price: { absolute: 1 },
      maxIterations: iterations,
      threads,
    }
    // Held-out errors do not tell fits this near to the optimum from the optimum.
    const rough = { tolerance: 1e-4, stationarity: 3e-2 }
    const chosen = await bestRidge(ridges, from, async (some) => {
      const settings = some.map((ridge) => ({
        ...options,
        ...rough,
        ridge: (ridge * trace) / rows,
      }))
      const named = Object.fromEntries(settings.map((setting, s) => [`${s}`, setting]))
      const { candidates } = await crossValidate(features, residual, named, { folds, seed, base })
      return some.map((_, s) => candidates[`${s}`]?.misclassified ?? 1)
    })
    const fit = await fitFeatures(features, residual, {
      ...options,
      ridge: (chosen * trace) / rows,
      tolerance: 1e-6,
      stationarity: 1e-2,
    })
    const whole = new NetworkModel(fit, layout, undefined, 'layer')
    const error = await errorOf(whole, network, test)
    say(
      `n ${n} ${model} seed ${seed}: ${error.toFixed(4)}, ridge ${chosen}, ${fit.iterations.length} iterations (${fit.status.name})`,
    )
    runs.push({ model, error, ridge: chosen, iterations: fit.iterations.length })
  }
  return runs
}

async function errorOf(model: NetworkModel, network: Network, test: Images): Promise<number> {
  const count = test.labels.length
  const size = test.data.length / count
  let wrong = 0
  for (let first = 0; first < count; first += 1000) {
    const own = Math.min(1000, count - first)
    const x: NdArray = {
      data: test.data.subarray(first * size, (first + own) * size),
      shape: [own, ...test.shape.slice(1)],
    }
    const { data, shape } = await model.predict(network, x)
    const [, outputs = 1] = shape
    for (let i = 0; i < own; i += 1) {
      const f = data.subarray(i * outputs, (i + 1) * outputs)
      if (f.indexOf(Math.max(...f)) !== test.labels[first + i]) wrong += 1
    }
  }
  return wrong / count
}

// The ridge of fixed features by folds: a kernel for each, and no B.
import { abortError } from '../core/abort.js'
import { KernelFactor } from '../linear/factor.js'
import { solveSoftmax } from '../linear/softmax.js'
import type { PriceSelection } from './choices.js'
import { heldOut } from './folds.js'
import { errorsOf, type HeldOut, likelihoodErrors, type SelectionError } from './held-out.js'
import type { AdaptiveOptions } from './options.js'
import { best, type Fold, type FoldSource, roundsOf } from './selection.js'

const fixed = Number.POSITIVE_INFINITY

/** What is fitted: ½‖f − y‖², or the cross-entropy of softmax(f). */
export type FitLoss = 'squared' | 'softmax'

/** What is fitted, and what candidates are compared by; of softmax the cross-entropy that is fitted. */
export interface RidgeGoal {
  loss: FitLoss
  by: SelectionError
}

/** The ridge of fixed features of least held-out error. */
export async function searchRidge(
  source: FoldSource,
  ridges: readonly number[],
  { loss, by }: RidgeGoal,
  options: AdaptiveOptions,
): Promise<PriceSelection> {
  const { repeats, folds, progress } = roundsOf(source.samples, options)
  const errors = ridges.map(() => [[] as number[]])
  let done = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = source.order(repeat)
    const found = ridges.map(() => [] as (HeldOut | null)[])
    let outputs = 1
    for (let fold = 0; fold < folds; fold++) {
      const parts = await source.part(...heldOut(order, fold, folds))
      outputs = parts.train.outputs
      const along = await alongRidges(parts, ridges, loss, options)
      for (const [i, each] of along.entries()) found[i]?.push(each)
      done += 1
      progress(done / (repeats * folds))
    }
    found.forEach((all, i) => {
      const good = all.filter((each) => each !== null)
      const measure = loss === 'softmax' ? likelihoodErrors : errorsOf
      const own = measure(good, outputs, by)
      const squares = errorsOf(good, outputs, 'squared error')
      const whole = good.length === all.length
      errors[i]?.[0]?.push(...all.map((_, f) => (whole ? tied(own[f], squares[f]) : fixed)))
    })
  }
  return { ...best(ridges, [fixed], errors, folds), by }
}

/** Held-out predictions at every ridge; null where it is too small for this kernel in double precision. */
async function alongRidges(
  { train, known, test, truth, offsets }: Fold,
  ridges: readonly number[],
  loss: FitLoss,
  options: AdaptiveOptions,
): Promise<(HeldOut | null)[]> {
  const { signal, threads, memory, device } = options
  const { rows, outputs } = train
  const kernel = await train.kernel(train, { signal, threads })
  const across = await test.kernel(train, { signal, threads })
  const square = { data: kernel, shape: [rows, rows] }
  const found: (HeldOut | null)[] = []
  for (const ridge of ridges) {
    if (signal?.aborted) throw abortError(signal)
    let alpha: Float64Array | undefined
    if (loss === 'squared') {
      const factor = await KernelFactor.try(square, ridge, { signal, threads, memory, device })
      alpha = (await factor?.solve(known)) ?? undefined
      factor?.free()
    } else {
      const setting = {
        ...{ ridge, offset: offsets.train, outputs, signal, threads, memory, device },
      }
      alpha = (await solveSoftmax(kernel, sum(known, offsets.train), setting)).alpha
    }
    found.push(
      alpha
        ? { prediction: sum(product(across, alpha), offsets.test), truth: sum(truth, offsets.test) }
        : null,
    )
  }
  return found
}

/** Where classes are parted perfectly, squared errors still tell candidates apart. */
const tied = (error = 0, square = 0) => error + 1e-6 * square

const sum = (a: Float64Array, b: Float64Array) => a.map((value, r) => value + (b[r] as number))

/** K α for K (rows, α.length). */
function product(kernel: Float64Array, alpha: Float64Array): Float64Array {
  const width = alpha.length
  return Float64Array.from({ length: kernel.length / width }, (_, r) => {
    let all = 0
    for (let c = 0; c < width; c += 1) {
      all += (kernel[r * width + c] as number) * (alpha[c] as number)
    }
    return all
  })
}

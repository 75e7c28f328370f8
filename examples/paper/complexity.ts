// How many samples a model needs for the error that fixed features reach with n: the ratio that the
// published claim of sample complexity is about, from the curves of figure 4.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CurvePoint } from './curves.js'
import { published } from './figure4.js'
import { spread } from './figure13.js'

export interface Ratio {
  model: string
  /** Samples of fixed features, and their error. */
  n: number
  error: number
  /** Samples that `model` needs for that error ÷ n, within these bounds, which are mostly equal. */
  least: number
  most: number
}

interface Point {
  n: number
  error: number
}

/** @param points of `fig4-….json`, or the published ones */
export function ratios(points: readonly Pick<CurvePoint, 'n' | 'model' | 'errors'>[]): Ratio[] {
  const curve = (model: string) =>
    points
      .filter((point) => point.model === model)
      .map(({ n, errors }) => ({ n, error: spread(errors).mean }))
      .sort((a, b) => a.n - b.n)
  return ['adaptive', 'full'].flatMap((model) =>
    curve('fixed').map(({ n, error }) => {
      const [least, most] = samplesFor(curve(model), error)
      return { model, n, error, least: least / n, most: most / n }
    }),
  )
}

/** Where the curve, straight between its points in the logarithms of both, has this error. */
function samplesFor(curve: readonly Point[], error: number): [number, number] {
  const after = curve.findIndex((point) => point.error <= error)
  const right = curve[after]
  const left = curve[after - 1]
  if (right === undefined) return [curve.at(-1)?.n ?? 0, Number.POSITIVE_INFINITY]
  if (left === undefined) return [0, right.n]
  const share = Math.log(left.error / error) / Math.log(left.error / right.error)
  const n = left.n * (right.n / left.n) ** share
  return [n, n]
}

/** Tells the ratios of the published curves and of the folder's. */
export function complexity(folder: string, say: (text: string) => void): void {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(folder, `fig4-${name}.json`), 'utf8')).points
  const { sizes, ...errors } = published
  const curves = {
    'published, MNIST': Object.entries(errors).flatMap(([model, values]) =>
      sizes.map((n, k) => ({ n, model, errors: [values[k] as number] })),
    ),
    'redrawn, MNIST': read('redrawn-mnist'),
    'fixed set, MNIST': read('fixed-set-mnist'),
    'fixed set, Fashion-MNIST': read('fixed-set-fashion'),
  }
  for (const [name, points] of Object.entries(curves)) {
    for (const { model, n, error, least, most } of ratios(points)) {
      const share =
        least === most
          ? least.toFixed(2)
          : least > 0
            ? `> ${least.toFixed(2)}`
            : `< ${most.toFixed(2)}`
      say(
        `${name}: fixed features err ${(100 * error).toFixed(1)} % with n = ${n}, ${model} with ${share} n`,
      )
    }
  }
}

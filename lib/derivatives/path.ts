// Paths through the parameters, for features that are averaged over them.

import { badArgument } from '../core/errors.js'
import type { Core } from '../model/core.js'
import type { Job } from '../runtime/jobs/index.js'
import type { PathMessage } from '../runtime/protocol.js'

/** Where a piece of the path is looked at: `uniform` midpoints, or the Gauss–Legendre nodes. */
export type QuadratureRule = 'uniform' | 'gauss-legendre'

/** Nodes in (0, 1) and weights that add up to 1. */
export function quadrature(rule: QuadratureRule, points: number): { t: number; weight: number }[] {
  if (rule === 'uniform') {
    return Array.from({ length: points }, (_, k) => ({ t: (k + 0.5) / points, weight: 1 / points }))
  }
  // Newton's method on the Legendre polynomial, from Tricomi's estimates of its roots.
  return Array.from({ length: points }, (_, k) => {
    let x = Math.cos((Math.PI * (k + 0.75)) / (points + 0.5))
    let slope = 1
    for (let step = 0; step < 100; step += 1) {
      let [before, value] = [1, x]
      for (let n = 2; n <= points; n += 1) {
        ;[before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n]
      }
      slope = (points * (x * value - before)) / (x * x - 1)
      const change = value / slope
      x -= change
      if (Math.abs(change) < 1e-15) break
    }
    return { t: (1 - x) / 2, weight: 1 / ((1 - x * x) * slope * slope) }
  })
}

/** A path as the worker and the addon take it. */
export interface WeightPath {
  message: PathMessage
  job: NonNullable<Job<'ntk'>['path']>
}

/** Straight lines from each network's weights to the next one's, each as long in time. */
export function weightPath(
  cores: readonly Core[],
  rule: QuadratureRule,
  points: number,
): WeightPath {
  const [first] = cores as [Core]
  const sets = cores.map((core) => core.weightMessages())
  const rest = quadrature(rule, points)
  const segments = Array.from({ length: cores.length - 1 }, (_, s) => s)
  const nodes = segments.flatMap((segment) => rest.map((node) => ({ ...node, segment })))
  const directions = segments.flatMap((segment) =>
    first.architecture.active.map(({ parameter: { name } }) => {
      const from = (cores[segment] as Core).weights.get(name) as Float32Array
      const to = (cores[segment + 1] as Core).weights.get(name) as Float32Array
      return from.map((value, e) => (to[e] as number) - value)
    }),
  )
  return {
    message: { sets, nodes: nodes.map(({ segment, t }) => ({ segment, t })) },
    job: {
      weights: nodes.map(({ weight }) => weight / segments.length),
      changeWeights: nodes.map(({ weight }) => weight),
      segments: nodes.map(({ segment }) => segment),
      directions,
    },
  }
}

/** @throws TangentError unless all have one architecture and the same frozen parameters. */
export function checkPath(cores: readonly (Core | undefined)[], argument: string): Core[] {
  if (cores.length < 2) throw badArgument(argument, 'two networks or more', cores.length)
  return cores.map((core) => {
    if (!core) throw badArgument(argument, 'networks', core)
    core.checkAlive()
    if (core.architecture === cores[0]?.architecture) return core
    throw badArgument(
      argument,
      'networks that share an architecture (made by withParameters from the first one)',
      'a network of its own',
    )
  })
}

// Does the output of a sample depend on the others in its batch? Found out by trying.
import type * as ort from 'onnxruntime-node'
import { TangentError } from '../errors.js'
import { disturbed, stack } from './feeds.js'
import type { Weights } from './plan.js'
import type { Feed, PlanMessage, WorkerInit } from './protocol.js'
import type { Outcome, Sessions } from './sessions.js'

/** Relative to the largest entry: a difference that no order of summation explains. */
const tolerance = 1e-5

/** A value in three runs: of samples (a, b), of (a, c) and of (a, b, a). */
interface Trial {
  before: Outcome
  after: Outcome
  triple: Outcome
}

/**
 * Runs two samples, then two with another second one: nothing of the first may change.
 * @throws TangentError UNSUPPORTED naming the first node that lets samples meet.
 */
export async function checkIndependence(
  init: WorkerInit,
  sessions: Sessions,
  plan: PlanMessage,
  x: Feed,
  weights: Weights,
  threads: number,
): Promise<void> {
  const first = stack(x, [0])
  const other = x.samples > 1 ? stack(x, [1]) : first
  const feeds = {
    before: stack(first, [0], other),
    after: stack(first, [0], disturbed(first)),
    triple: stack(stack(first, [0], other), [0, 1], first),
  }
  const attempt = async (key: string, values: string[]): Promise<Trial> => {
    const session = await sessions.get(key, threads, { values, shapes: [] })
    const run = (feed: Feed) => session.run(feed, 0, feed.samples, weights.tensors)
    return {
      before: await run(feeds.before),
      after: await run(feeds.after),
      triple: await run(feeds.triple),
    }
  }
  const nameOf = (id: number) => init.graph.values[id]?.name ?? ''
  const output = nameOf(plan.output)
  if (!changed(await attempt(`run ${output}`, [output]), output)) return

  const { nodes } = init.graph
  const names = nodes.flatMap((node) => node.outputs.map(nameOf)).filter((name) => name !== '')
  const everything = await attempt('everything', names)
  const guilty = nodes.find((node) =>
    node.outputs.some((id) => id >= 0 && changed(everything, nameOf(id))),
  )
  throw new TangentError(
    'UNSUPPORTED',
    `Expected a network that treats each sample by itself but the output of one sample changes with another one of its batch, first in node ${guilty?.name ?? '?'} (${guilty?.op ?? '?'}); export the network with a fixed batch of 1, or without that node`,
  )
}

/** Did the first sample's part of a value change? */
function changed(trial: Trial, name: string): boolean {
  const [a, b, c] = [trial.before, trial.after, trial.triple].map(
    ({ values }) => values.get(name) as ort.Tensor,
  ) as [ort.Tensor, ort.Tensor, ort.Tensor]
  if (!(a.data instanceof Float32Array) || !(b.data instanceof Float32Array)) return false
  if (a.data.length !== b.data.length) return true
  // The batch lies along the axis that grows with the number of samples.
  const axis = a.dims.findIndex((size, k) => size !== c.dims[k])
  const inner = a.dims.slice(Math.max(axis, 0)).reduce((product, size) => product * size, 1)
  return !near(a.data, b.data, inner, axis < 0 ? inner : inner / 2)
}

/** Compares the first `part` entries of every run of `inner`. */
function near(a: Float32Array, b: Float32Array, inner: number, part: number): boolean {
  let largest = 0
  let difference = 0
  for (let start = 0; start < a.length; start += inner) {
    for (let e = start; e < start + part; e += 1) {
      const u = a[e] as number
      const v = b[e] as number
      if (Number.isFinite(u)) largest = Math.max(largest, Math.abs(u))
      if (u === v || (Number.isNaN(u) && Number.isNaN(v))) continue
      if (!Number.isFinite(u) || !Number.isFinite(v)) return false
      difference = Math.max(difference, Math.abs(u - v))
    }
  }
  return difference <= tolerance * largest
}

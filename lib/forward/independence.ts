// Does the output of a sample depend on the others in its batch? Found out by trying.
import type * as ort from 'onnxruntime-node'
import { TangentError } from '../errors.js'
import { disturbed, stack } from './feeds.js'
import type { Weights } from './plan.js'
import type { Feed, PlanMessage, WorkerInit } from './protocol.js'
import type { Outcome, Sessions } from './sessions.js'

/** Relative to the largest entry: a difference that no order of summation explains. */
const tolerance = 1e-5

/** Values in the runs of batches that differ in all samples but a. */
interface Trial {
  /** (a, b) and (a, c). */
  first: [Outcome, Outcome]
  /** (b, a) and (c, a). */
  last: [Outcome, Outcome]
  /** (a, b, a). */
  triple: Outcome
}

/** Runs the network on the batches of a trial and keeps the named values. */
async function attempt(
  sessions: Sessions,
  key: string,
  values: string[],
  x: Feed,
  weights: Weights,
  threads: number,
): Promise<Trial> {
  const a = stack(x, [0])
  const b = x.samples > 1 ? stack(x, [1]) : a
  const c = disturbed(a)
  const pair = (one: Feed, two: Feed) => stack(one, [0], two)
  const session = await sessions.get(key, threads, { values, shapes: [] })
  const run = (feed: Feed) => session.run(feed, 0, feed.samples, weights.tensors)
  // Disturbed, indices may be out of range: then c is a once more.
  const or = (feed: Feed) => run(feed).catch(() => run(pair(a, a)))
  return {
    first: [await run(pair(a, b)), await or(pair(a, c))],
    last: [await run(pair(b, a)), await or(pair(c, a))],
    triple: await run(stack(pair(a, b), [0, 1], a)),
  }
}

/** Outputs whose samples were found not to meet, with the axes of the inputs. */
const apart = new Set<string>()

/**
 * The axis along which an output grows with the samples (-1: none, or not one alone), and whether
 * its part of one sample changes with another sample of its batch.
 */
export async function outputOfPairs(
  sessions: Sessions,
  output: string,
  x: Feed,
  weights: Weights,
  threads: number,
): Promise<{ axis: number; meet: boolean }> {
  const trial = await attempt(sessions, `run ${output}`, [output], x, weights, threads)
  const [two = [], three = []] = [trial.first[0], trial.triple].map(
    ({ values }) => values.get(output)?.dims ?? [],
  )
  const grown = two.flatMap((size, axis) => (size === three[axis] ? [] : [axis]))
  const [axis = -1] = grown.length === 1 && two.length === three.length ? grown : []
  const meet = changed(trial, output)
  if (!meet) apart.add(keyOf(output, x))
  return { axis, meet }
}

function keyOf(output: string, { arrays }: Feed): string {
  return [output, ...arrays.map(({ axis = 0 }) => axis)].join(' ')
}

/** Does an output's part of one sample change with another sample of its batch? */
export async function samplesMeet(
  sessions: Sessions,
  output: string,
  x: Feed,
  weights: Weights,
  threads: number,
): Promise<boolean> {
  if (apart.has(keyOf(output, x))) return false
  return (await outputOfPairs(sessions, output, x, weights, threads)).meet
}

/** @throws TangentError UNSUPPORTED naming the first node that lets samples meet. */
export async function checkIndependence(
  init: WorkerInit,
  sessions: Sessions,
  plan: PlanMessage,
  x: Feed,
  weights: Weights,
  threads: number,
): Promise<void> {
  const nameOf = (id: number) => init.graph.values[id]?.name ?? ''
  if (!(await samplesMeet(sessions, nameOf(plan.output), x, weights, threads))) return
  const { nodes } = init.graph
  const names = nodes.flatMap((node) => node.outputs.map(nameOf)).filter((name) => name !== '')
  const everything = await attempt(sessions, 'everything', names, x, weights, threads)
  const guilty = nodes.find((node) =>
    node.outputs.some((id) => id >= 0 && changed(everything, nameOf(id))),
  )
  throw new TangentError(
    'UNSUPPORTED',
    `Expected a network that treats each sample by itself but the output of one sample changes with another one of its batch, first in node ${guilty?.name ?? '?'} (${guilty?.op ?? '?'}); export the network with a fixed batch of 1, or without that node`,
  )
}

/** Did sample a's part of a value change? */
function changed({ first, last, triple }: Trial, name: string): boolean {
  const of = (outcome: Outcome) => outcome.values.get(name) as ort.Tensor
  const third = of(triple).dims
  return [first, last].some(([before, after], place) => {
    const [u, v] = [of(before), of(after)]
    if (!(u.data instanceof Float32Array) || !(v.data instanceof Float32Array)) return false
    if (u.data.length !== v.data.length) return true
    // The batch lies along the axis that grows with the number of samples.
    const axis = u.dims.findIndex((size, k) => size !== third[k])
    const inner = u.dims.slice(Math.max(axis, 0)).reduce((product, size) => product * size, 1)
    const part = axis < 0 ? inner : inner / 2
    return !near(u.data, v.data, inner, axis < 0 ? 0 : place * part, part)
  })
}

/** Compares `part` entries from `offset` on of every run of `inner`. */
function near(
  a: Float32Array,
  b: Float32Array,
  inner: number,
  offset: number,
  part: number,
): boolean {
  let largest = 0
  let difference = 0
  for (let start = offset; start < a.length; start += inner) {
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

// The adaptive solver on the workloads: time to 1e-6 of the optimum, against the products
// and factorisations that it cannot avoid and against Adam on the factors.
// `npm run bench -- solve [WORKLOAD …] [--adam SECONDS|TIMESx [--framework torch|jax]]`: Adam gets that
// long, or that many times our time, where it is given, counted in steps of --adam-step seconds (else
// taken at the start), which run on --adam-threads (all). What it says on the way goes to stderr.
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type FitIteration, fitFeatures } from '../../lib/fit/adaptive.js'
import { networkFeatures } from '../../lib/fit/blocks.js'
import type { FeatureBlock, TangentFeatures } from '../../lib/fit/features.js'
import type { AdaptiveModel } from '../../lib/fit/model.js'
import type { NdArray } from '../../lib/index.js'
import { native } from '../../lib/native/index.js'
import { Network } from '../../lib/network/network.js'
import { peak, resetPeak } from '../memory.js'
import { adam, type Framework } from './adam.js'
import { toBlock } from './blocks.js'
import { type Case, cases, data } from './cases.js'
import { type Adjoint, floor, rates } from './floor.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    adam: { type: 'string' },
    'adam-threads': { type: 'string' },
    'adam-step': { type: 'string' },
    framework: { type: 'string', default: 'torch' },
  },
})
const threads = availableParallelism()
const ridge = 1e-2
const MIB = 2 ** 20
const print = (line = '') => process.stdout.write(`${line}\n`)
const seconds = (x: number) => `${x.toPrecision(3)} s`
const since = (start: number) => (performance.now() - start) / 1000

/** The middle one of some iterations' seconds, the first left out: it computes what stays. */
function median(iterations: readonly FitIteration[], pick: (i: FitIteration) => number): number {
  const sorted = iterations
    .slice(1)
    .map(pick)
    .sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** Of features that the solver keeps as they come, or (several positions) multiplies out. */
function adjointOf(features: TangentFeatures, blocks: readonly FeatureBlock[]): Adjoint {
  const whole = blocks.some((block) => 'x' in block || (block.positions ?? 1) > 1)
  if (whole) return { flops: 0, bytes: features.bytes }
  const size = features.blocks.reduce((sum, { m, k }) => sum + m * k, 0)
  return { flops: (2 * size * features.rows) / features.outputs, bytes: 0 }
}

function describe(
  features: TangentFeatures,
  adjoint: Adjoint,
  model: AdaptiveModel,
  near: FitIteration[],
): number {
  const took = near.reduce((sum, { seconds: s }) => sum + s, 0)
  const r = rates(features.rows, features.blocks, threads)
  const least = floor(near, adjoint, r)
  print(
    `to 1e-6 of the optimum: ${seconds(took)}, ${near.length} iterations; floor ${seconds(least.total)} (products ${seconds(least.products)}, Σ α X ${seconds(least.adjoints)}, dpotrf ${seconds(least.factors)}, dgesdd ${seconds(least.singular)}): ${(took / least.total).toFixed(2)} times`,
  )
  const whole = median(near, (i) => i.seconds)
  const kernel = median(near, (i) => i.kernelSeconds)
  const solve = median(near, (i) => i.solveSeconds)
  const potrf = r.potrf / threads
  print(
    `an iteration ${seconds(whole)}: kernel ${seconds(kernel)}, solve ${seconds(solve)}, rest ${seconds(whole - kernel - solve)}; ${(whole / potrf).toFixed(2)} times dpotrf over ${threads} threads (${seconds(potrf)}), ${(whole / r.potrf).toFixed(2)} times on one`,
  )
  print(`machine, one thread: dgemm ${r.gemm.toFixed(1)} GFLOP/s, dsyevd ${seconds(r.syevd)}`)
  const blocks = model.blocks.map(
    ({ name, effectiveRank }) => `${name} ${effectiveRank.toFixed(1)}`,
  )
  print(`effective ranks: ${blocks.join(', ')}`)
  return took
}

async function featuresOf(
  bytes: Uint8Array,
  x: NdArray<Float32Array>,
  outputs: readonly number[] | undefined,
): Promise<{ features: TangentFeatures; blocks: FeatureBlock[]; took: number }> {
  await using network = await Network.load(bytes)
  const start = performance.now()
  const { features, layout } = await networkFeatures(network, x, { outputs })
  const took = since(start)
  const found = await network.features(x, { outputs })
  return { features, blocks: layout.map((block) => toBlock(block, found)), took }
}

async function measure({ samples, outputs, network: make }: Case): Promise<void> {
  const { bytes, input, outputs: all } = make()
  const size = input.reduce((product, d) => product * d, 1)
  const { x, y } = data(samples, size, outputs?.length ?? all)
  const inputs = { data: x, shape: [samples, ...input] }
  const { features, blocks, took: before } = await featuresOf(bytes, inputs, outputs)
  const iterations: FitIteration[] = []
  const resident = resetPeak()
  const cpu = process.cpuUsage()
  const start = performance.now()
  const model = await fitFeatures(features, y, {
    left: 2,
    right: 2,
    ridge,
    price: { absolute: 1 },
    tolerance: 1e-9,
    stationarity: 1e-4,
    onIteration: (iteration) => iterations.push(iteration),
  })
  const wall = since(start)
  const { user, system } = process.cpuUsage(cpu)
  print(
    `features ${seconds(before)}, ${(features.bytes / MIB).toFixed(0)} MiB; fit ${seconds(wall)} (CPU time ${seconds((user + system) / 1e6)}), ${iterations.length} iterations, ${model.status.name}, objective ${model.objective.toPrecision(9)}, ${((peak() - resident) / MIB).toFixed(0)} MiB more at its worst`,
  )
  const last = iterations.findIndex(({ objective }) => objective <= model.objective * (1 + 1e-6))
  const took = describe(features, adjointOf(features, blocks), model, iterations.slice(0, last + 1))
  if (!values.adam) return
  const problem = { samples, outputs: features.outputs, blocks, targets: y, ridge }
  const limit = values.adam.endsWith('x')
    ? Number(values.adam.slice(0, -1)) * took
    : Number(values.adam)
  const framework = values.framework as Framework
  const known = values['adam-step']
  const { arrived, step, steps, along, rate, schedule } = await adam(
    { ...problem, optimum: model.objective },
    {
      framework,
      limit,
      threads,
      own: Number(values['adam-threads'] ?? threads),
      step: known === undefined ? undefined : Number(known),
    },
  )
  const theirs = step * (arrived ?? steps)
  const none = arrived === null
  print(
    `Adam on the factors (${framework}, float32, rate ${rate} ${schedule}): ${none ? 'not within ' : ''}${seconds(theirs)}, ${arrived ?? steps} steps of ${seconds(step)}, gap ${along.map((gap) => gap.toExponential(1)).join(', ')} (at a quarter and half of it, and at the end): ${none ? 'more than ' : ''}${(theirs / took).toFixed(1)} times ours`,
  )
}

print(`${cpus()[0]?.model ?? 'unknown processor'}, ${threads} threads; BLAS: ${native.blas}`)
for (const entry of cases) {
  if (positionals.length > 0 && !positionals.includes(entry.name)) continue
  print(`\n${entry.name}: ${entry.title}`)
  await measure(entry)
}

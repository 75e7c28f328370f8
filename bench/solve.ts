// The adaptive solver on the workloads: time to 1e-6 of the optimum, against the products
// and factorisations that it cannot avoid. `node dist/bench/solve.js [WORKLOAD …]`; run it with
// OPENBLAS_CORETYPE unset (npm run bench does that for its own workloads).
import { availableParallelism } from 'node:os'
import { native } from '../lib/native.js'
import { Network } from '../lib/network.js'
import { type FitIteration, fitFeatures } from '../lib/solve/adaptive.js'
import { networkFeatures } from '../lib/solve/blocks.js'
import { solveKernel } from '../lib/solve/fixed.js'
import { gaussians } from '../lib/solve/gradients.js'
import { type BenchNetwork, cnn, mlp } from './models.js'

interface Case {
  name: string
  title: string
  samples: number
  outputs: number[] | undefined
  network(): BenchNetwork
}

const layers = [784, 128, 128, 128, 128, 10]
const cases: Case[] = [
  {
    name: 'mlp-1000',
    title: 'MLP 784→128×4→10, one output, N = 1000',
    samples: 1000,
    outputs: [0],
    network: () => mlp(layers),
  },
  {
    name: 'mlp-4000',
    title: 'the same, N = 4000',
    samples: 4000,
    outputs: [0],
    network: () => mlp(layers),
  },
  {
    name: 'mlp-all-300',
    title: 'the same, all ten outputs, N = 300',
    samples: 300,
    outputs: undefined,
    network: () => mlp(layers),
  },
  {
    name: 'cnn-500',
    title: "the paper's CNN, one output, N = 500",
    samples: 500,
    outputs: [0],
    network: () => cnn(16),
  },
]

/** Inputs with a decaying spectrum, as images have, and labels ±1 that a plane almost separates. */
function data(samples: number, size: number, outputs: number) {
  const directions = 60
  const basis = gaussians(directions * size, 7)
  const codes = gaussians(samples * directions, 8)
  const noise = gaussians(samples * outputs, 9)
  const x = new Float32Array(samples * size)
  for (let i = 0; i < samples; i++) {
    for (let d = 0; d < directions; d++) {
      const weight = (codes[i * directions + d] as number) / (d + 1)
      for (let p = 0; p < size; p++) {
        x[i * size + p] = (x[i * size + p] as number) + weight * (basis[d * size + p] as number)
      }
    }
    let norm = 0
    for (let p = 0; p < size; p++) norm += (x[i * size + p] as number) ** 2
    const scale = 1 / Math.sqrt(norm)
    for (let p = 0; p < size; p++) x[i * size + p] = (x[i * size + p] as number) * scale
  }
  const y = Float64Array.from({ length: samples * outputs }, (_, r) => {
    const code = codes[Math.floor(r / outputs) * directions + (r % outputs)] as number
    return Math.sign(code + 0.2 * (noise[r] as number))
  })
  return { x, y }
}

/** Seconds of one Cholesky of that size, the least of three, by this package's tiles. */
async function factorisation(
  n: number,
  threads: number,
): Promise<{ seconds: number; cpu: number }> {
  const kernel = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) kernel[i * n + j] = Math.exp(-Math.abs(i - j))
  }
  const y = new Float64Array(n).fill(1)
  const best = { seconds: Number.POSITIVE_INFINITY, cpu: Number.POSITIVE_INFINITY }
  for (let run = 0; run < 3; run++) {
    const [start, cpu] = [performance.now(), cpuSeconds()]
    await solveKernel(kernel, y, { ridge: 1, threads })
    best.seconds = Math.min(best.seconds, (performance.now() - start) / 1000)
    best.cpu = Math.min(best.cpu, cpuSeconds() - cpu)
  }
  return best
}

/** Of all threads: what a busy machine does not distort. */
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const print = (line = '') => process.stdout.write(`${line}\n`)
const wanted = process.argv.slice(2)
const threads = availableParallelism()
print(`BLAS: ${native.blas}; ${threads} threads`)
for (const { name, title, samples, outputs, network: make } of cases) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const { bytes, input, outputs: all } = make()
  await using network = await Network.load(bytes)
  const size = input.reduce((product, d) => product * d, 1)
  const { x, y } = data(samples, size, outputs?.length ?? all)
  const inputs = { data: x, shape: [samples, ...input] }
  const start = performance.now()
  const { features } = await networkFeatures(network, inputs, { outputs })
  const featureSeconds = (performance.now() - start) / 1000
  const iterations: (FitIteration & { cpu: number })[] = []
  let cpu = cpuSeconds()
  const began = performance.now()
  const model = await fitFeatures(features, y, {
    left: 2,
    right: 2,
    ridge: 1e-2,
    tolerance: 1e-9,
    stationarity: 1e-4,
    onIteration: (iteration) => {
      const now = cpuSeconds()
      iterations.push({ ...iteration, cpu: now - cpu })
      cpu = now
    },
  })
  const seconds = (performance.now() - began) / 1000
  const near = iterations.findIndex(({ objective }) => objective <= model.objective * (1 + 1e-6))
  const toOptimum = iterations.slice(0, near + 1).reduce((sum, { seconds: s }) => sum + s, 0)
  const median = (pick: (iteration: FitIteration & { cpu: number }) => number) => {
    const values = iterations
      .slice(1)
      .map(pick)
      .sort((a, b) => a - b)
    return values[Math.floor(values.length / 2)] as number
  }
  print(`\n${title}: ${features.rows} rows, ${features.size} numbers`)
  print(
    `features ${featureSeconds.toFixed(2)} s; fit ${seconds.toFixed(2)} s, ${iterations.length} iterations, ${model.status.name}, objective ${model.objective.toPrecision(9)}`,
  )
  print(`to 1e-6 of the optimum: ${toOptimum.toFixed(2)} s, ${near + 1} iterations`)
  const factor = await factorisation(features.rows, threads)
  const [whole, kernel, solve] = [
    median((i) => i.seconds),
    median((i) => i.kernelSeconds),
    median((i) => i.solveSeconds),
  ]
  print(
    `an iteration ${whole.toFixed(3)} s: kernel ${kernel.toFixed(3)}, solve ${solve.toFixed(3)}, rest ${(whole - kernel - solve).toFixed(3)}; one factorisation ${factor.seconds.toFixed(3)} s (${(whole / factor.seconds).toFixed(2)} of them; by CPU time ${median((i) => i.cpu).toFixed(3)} s and ${factor.cpu.toFixed(3)} s, ${(median((i) => i.cpu) / factor.cpu).toFixed(2)})`,
  )
  print(
    model.blocks
      .map(
        (b) =>
          `${b.name}: effective rank ${b.effectiveRank.toFixed(2)}, stretched ${b.transforms.map((t) => t.z.length).join('×')}`,
      )
      .join('; '),
  )
}

// Measures one workload by one method in a process of its own, so that the peak memory is its own:
// `node measure.js WORKLOAD METHOD`. Prints one line of JSON.
import { availableParallelism } from 'node:os'
import Benchmark from 'benchmark'
import { Network } from '../lib/index.js'
import { native } from '../lib/native/index.js'
import { Random } from '../test/support/random.js'
import { workloads } from './cases/index.js'
import { cheapestWork } from './flops.js'
import { peak, resetPeak } from './memory.js'
import { type Method, methods } from './workload.js'

export interface Measurement {
  /** Seconds of one kernel: the mean of `samples` runs, and the margin of its 95 % interval, in %. */
  seconds: number
  margin: number
  samples: number
  /** FLOPs of the passes and of the cheapest contraction: see flops.ts. */
  work: number
  /** GFLOP/s of the machine's own GEMM on as many threads, just before. */
  gemm: number
  /** Bytes of the result, and of the process before the kernel and at its worst during it. */
  result: number
  before: number
  peak: number
  ways: string[]
}

/** Runs until five seconds are spent; a workload that takes longer runs once, after one to warm. */
function benchmark(title: string, work: () => Promise<unknown>): Promise<Benchmark.Stats> {
  return new Promise((resolve, reject) => {
    const bench = new Benchmark(title, {
      defer: true,
      minSamples: 3,
      maxTime: 5,
      fn: (deferred: { resolve(): void }) => {
        work().then(() => deferred.resolve(), reject)
      },
    })
    bench.on('complete', () => resolve(bench.stats))
    bench.on('error', () => reject(bench.error))
    bench.run({ async: true })
  })
}

async function measure(name: string, method: Method): Promise<Measurement> {
  const workload = workloads.find((entry) => entry.name === name)
  if (!workload) throw new Error(`no workload ${name}`)
  const { bytes, input, outputs, layers } = workload.network()
  const { samples } = workload
  const size = input.reduce((product, extent) => product * extent, samples)
  const x = { data: new Random(2).normals(size), shape: [samples, ...input] }
  const threads = availableParallelism()
  const { gemm } = native.machine(1024, threads)
  await using network = await Network.load(bytes, { threads })
  await network.run(x)
  const before = resetPeak()
  const kernel = () => network.ntk(x, { method })
  const start = performance.now()
  await kernel()
  const first = (performance.now() - start) / 1000
  let stats = { mean: first, rme: 0, size: 1 }
  if (first < 20) {
    const { mean, rme, sample } = await benchmark(workload.title, kernel)
    stats = { mean, rme, size: sample.length }
  }
  const { passes, contraction, ways } = cheapestWork(layers, samples, outputs)
  return {
    seconds: stats.mean,
    margin: stats.rme,
    samples: stats.size,
    work: passes + contraction,
    gemm,
    result: (samples * outputs) ** 2 * 4,
    before,
    peak: peak(),
    ways,
  }
}

const [name = '', method = ''] = process.argv.slice(2)
const known = methods.find((entry) => entry === method)
if (!known) throw new Error(`no method ${method}`)
process.stdout.write(`${JSON.stringify(await measure(name, known))}\n`)

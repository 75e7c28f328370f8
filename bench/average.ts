// A kernel averaged over a path, compared with single kernels, on the network of LeJeune & Alemohammad's
// first figure: `node dist/bench/average.js`, with OPENBLAS_CORETYPE unset.
import { cpus } from 'node:os'
import { averageKernel, type NdArray, Network } from '../lib/index.js'
import { native } from '../lib/native/index.js'
import { Random } from '../test/support/random.js'
import { mlp } from './models.js'

const threads = 2
const samples = 500
const points = 50
const sizes = [784, 256, 256, 1]
const print = (line = '') => process.stdout.write(`${line}\n`)

/** The least of several warm calls. */
async function seconds(call: () => Promise<unknown>, times = 3): Promise<number> {
  await call()
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < times; turn += 1) {
    const start = performance.now()
    await call()
    best = Math.min(best, (performance.now() - start) / 1000)
  }
  return best
}

await using from = await Network.load(mlp(sizes).bytes, { threads })
const random = new Random(2)
const moved = new Map<string, NdArray>(
  from.parameters.map(({ name, shape }) => {
    const { data } = from.weight(name) as NdArray<Float32Array>
    return [name, { data: data.map((value) => value + 0.02 * random.normal()), shape: [...shape] }]
  }),
)
await using to = await from.withParameters(moved)
const x = { data: random.normals(samples * 784).map((value) => value / 28), shape: [samples, 784] }

print(`${cpus()[0]?.model}, ${threads} threads, Node ${process.version}, BLAS ${native.blas}`)
print(`MLP ${sizes.join('→')}, ${samples} samples`)
const jacobian = await seconds(() => from.ntk(x, { method: 'jacobian' }))
const auto = await seconds(() => from.ntk(x))
const features = await seconds(() => from.jacobian(x))
print(
  `one kernel: through the Jacobian ${jacobian.toFixed(3)} s, the cheapest way ${auto.toFixed(3)} s`,
)
print(`one Jacobian: ${features.toFixed(3)} s`)
const average = await seconds(() => averageKernel(from, to, x, { points }))
print(
  `averaged over ${points} points: ${average.toFixed(3)} s, ${(average / points).toFixed(4)} s per point, ${(average / points / jacobian).toFixed(2)} of a kernel through the Jacobian; ${(average / jacobian).toFixed(1)} of them in all`,
)

// What sketches cost and how far off they are, on ResNet-18: `node dist/bench/sketch.js [SIDE [SAMPLES]]`. Times are
// the processor's, on one thread; the reverse pass alone is that of a mask that keeps one number, less the forward run.
import { type NdArray, Network, type SketchKind, sketch } from '../lib/index.js'
import { Random } from '../test/support/random.js'
import { resnet18 } from './peers/networks.js'

const [side = 64, samples = 4] = process.argv.slice(2).map(Number)
const outputs = 10
const size = 4096
const print = (line = '') => process.stdout.write(`${line}\n`)

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The least of several warm calls, in milliseconds. */
async function milliseconds(call: () => Promise<unknown>, times = 5): Promise<number> {
  await call()
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < times; turn += 1) {
    const start = cpu()
    await call()
    best = Math.min(best, cpu() - start)
  }
  return best
}

const rms = (values: number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

const { bytes, input } = resnet18(side, outputs)
await using network = await Network.load(bytes, { threads: 1 })
const count = input.reduce((product, one) => product * one, samples)
const x: NdArray = { data: new Random(2).normals(count), shape: [samples, ...input] }
const forward = await milliseconds(() => network.run(x))
const timed = (kind: SketchKind, k: number) =>
  milliseconds(() => sketch(network, x, { kind, size: k, check: 0 }))
const pass = (await timed('mask', 1)) - forward
print(`ResNet-18, ${side} × ${side}, ${samples} samples, ${outputs} outputs, k = ${size}`)
print(`forward ${forward.toFixed(0)} ms, reverse pass ${pass.toFixed(0)} ms`)
for (const kind of ['factored', 'combined', 'sparse'] as const) {
  const own = (await timed(kind, size)) - forward
  const errors = []
  for (let seed = 1; seed <= 3; seed += 1) {
    const { error } = await sketch(network, x, { kind, size, seed, check: samples })
    if (error?.expected) errors.push({ ...error, expected: error.expected })
  }
  const [on, off, onLine, offLine] = [
    rms(errors.map(({ diagonal }) => diagonal)),
    rms(errors.map(({ offDiagonal }) => offDiagonal)),
    rms(errors.map(({ expected }) => expected.diagonal)),
    rms(errors.map(({ expected }) => expected.offDiagonal)),
  ].map((value) => value.toFixed(4))
  print(
    `${kind.padEnd(9)} ${(own / pass).toFixed(2)} reverse passes; diagonal ${on} (expected ${onLine}), off it ${off} (${offLine})`,
  )
}

// Alignment along checkpoints of the paper's CNN: time, and how much of it is in native code.
// `npm run bench -- align [CHECKPOINTS [SAMPLES]]`.
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { alignmentAlong, type NdArray, Network, writeSafetensors } from '../lib/index.js'
import { native } from '../lib/native/index.js'
import { Random } from '../test/support/random.js'
import { peak, resetPeak } from './memory.js'
import { cnn } from './models.js'

const [count = 100, samples = 500] = process.argv.slice(2).map(Number)
const print = (line = '') => process.stdout.write(`${line}\n`)

/** Files of weights, each a small step from the one before. */
async function trajectory(network: Network, folder: string): Promise<string[]> {
  const random = new Random(3)
  const present = new Map(network.parameters.map(({ name }) => [name, network.weight(name)]))
  const steps = new Map([...present].map(([name, { data }]) => [name, random.normals(data.length)]))
  const files: string[] = []
  for (let k = 0; k < count; k += 1) {
    const arrays = new Map<string, NdArray>()
    for (const [name, { data, shape }] of present) {
      const step = steps.get(name) as Float32Array
      arrays.set(name, { data: data.map((w, e) => w + 1e-3 * k * (step[e] as number)), shape })
    }
    const file = join(folder, `weights-${k}.safetensors`)
    await writeSafetensors(file, arrays)
    files.push(file)
  }
  return files
}

const folder = await mkdtemp(join(tmpdir(), 'bench-align-'))
try {
  const { bytes, input, outputs } = cnn(16)
  await using network = await Network.load(bytes)
  const size = input.reduce((product, extent) => product * extent, samples)
  const x = { data: new Random(2).normals(size), shape: [samples, ...input] }
  const classes = Int32Array.from({ length: samples }, (_, i) => i % outputs)
  const target = { data: classes, shape: [samples] }
  const files = await trajectory(network, folder)
  await network.run(x)
  print(`${cpus()[0]?.model}, ${availableParallelism()} threads; BLAS: ${native.blas}`)
  print(`CNN of width 16 on 32×32×3, ${samples} samples, ${count} checkpoints, by layer`)
  const before = resetPeak()
  const active = performance.eventLoopUtilization()
  const start = performance.now()
  let inNative = 0
  const each: number[] = []
  for await (const { seconds } of alignmentAlong(network, x, files, { target })) {
    inNative += seconds.native
    each.push(seconds.whole)
  }
  const whole = (performance.now() - start) / 1000
  const busy = performance.eventLoopUtilization(active).active / 1000
  const sorted = each.sort((a, b) => a - b)
  print(`${whole.toFixed(2)} s, ${(whole / count).toFixed(3)} s per checkpoint`)
  print(
    `median ${sorted[count >> 1]?.toFixed(3)} s, least ${sorted[0]?.toFixed(3)} s, most ${sorted.at(-1)?.toFixed(3)} s`,
  )
  print(
    `in onnxruntime and the addon ${inNative.toFixed(2)} s = ${((100 * inNative) / whole).toFixed(1)} %; main JS thread busy ${busy.toFixed(2)} s`,
  )
  print(`memory: ${((peak() - before) / 2 ** 20).toFixed(0)} MiB above the start at the worst`)
} finally {
  await rm(folder, { recursive: true, force: true })
}

// Our side of one workload in a process of its own: `node ours.js FOLDER`. Prints JSON.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type NdArray, Network, type ParameterArrays, readNpy, writeNpy } from '../../lib/index.js'
import { peak, resetPeak } from '../memory.js'
import type { Figures, Spec } from './figures.js'
import { machineRates } from './floor.js'

const [folder = ''] = process.argv.slice(2)
const at = (file: string) => join(folder, file)
const spec = JSON.parse(readFileSync(at('spec.json'), 'utf8')) as Spec
const { threads } = spec

/** Per parameter its Jacobian (N, O, …) times the stored direction, stacked: (P, N, O). */
async function projected(jacobian: ParameterArrays): Promise<NdArray> {
  const [samples = 0, outputs = 0] = [...jacobian.values()][0]?.shape ?? []
  const rows = samples * outputs
  const data = new Float32Array(jacobian.size * rows)
  let p = 0
  for (const { data: values } of jacobian.values()) {
    const { data: direction } = await readNpy(at(`direction_${p}.npy`))
    for (let r = 0; r < rows; r += 1) {
      let sum = 0
      for (let e = 0; e < direction.length; e += 1)
        sum += (values[r * direction.length + e] as number) * Number(direction[e])
      data[p * rows + r] = sum
    }
    p += 1
  }
  return { data, shape: [jacobian.size, samples, outputs] }
}

/** All parameters' numbers in one row, by name. */
function joined(gradient: ParameterArrays): NdArray {
  const parts = [...gradient].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { data }]) => data)
  const count = parts.reduce((sum, { length }) => sum + length, 0)
  const data = new Float32Array(count)
  let at = 0
  for (const part of parts) {
    data.set(part, at)
    at += part.length
  }
  return { data, shape: [1, count] }
}

const bytesOf = (result: NdArray | ParameterArrays) =>
  result instanceof Map
    ? [...result.values()].reduce((sum, { data }) => sum + data.byteLength, 0)
    : (result.data as Float32Array).byteLength

async function main(): Promise<Figures> {
  const baseline = resetPeak()
  const x = await readNpy(at('x.npy'))
  await using network = await Network.load(at('model.onnx'), { threads })
  const eigenvalues = async (opened: Network): Promise<NdArray> => {
    const kernel = await opened.kernelOperator(x)
    const { values } = await kernel.topEigenvalues({ count: spec.count, tolerance: 1e-4 })
    return { data: values, shape: [values.length] }
  }
  const cotangents = spec.call === 'gradient' ? await readNpy(at('cotangents.npy')) : x
  const call = (): Promise<NdArray | ParameterArrays> => {
    switch (spec.call) {
      case 'ntk':
        return network.ntk(x)
      case 'trace':
        return network.ntk(x, { kernel: 'trace' })
      case 'jacobian':
        return network.jacobian(x)
      case 'gradient':
        return network.vjp(x, cotangents)
      case 'eigenvalues':
        return eigenvalues(network)
      default:
        throw new Error(`no call ${spec.call}`)
    }
  }
  // Its result goes with its frame: kept in this one, it would live as long as the next one's.
  const timed = async () => {
    const used = process.cpuUsage()
    const start = performance.now()
    const result = await call()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    return { seconds, processor: (user + system) / 1e6, bytes: bytesOf(result) }
  }
  const { seconds: first, bytes: result } = await timed()
  const peakWithCompilation = peak()
  const times: number[] = []
  const processor: number[] = []
  let spent = 0
  while (
    times.length < spec.repeats &&
    (spent === 0 || spent + Math.min(...times) < spec.seconds)
  ) {
    // What lay outside the heap is swept on another thread and let go in a later turn; the second
    // collection waits for the sweep of the first.
    // Small results need none of it, and a machine left idle for so long is slow to begin.
    for (let k = 0; k < 2 && result > 2 ** 20; k += 1) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    if (spent === 0) resetPeak()
    const warm = await timed()
    times.push(warm.seconds)
    processor.push(warm.processor)
    spent += warm.seconds
  }
  const worst = peak()
  const figures: Figures = {
    first,
    times,
    processor,
    baseline,
    peak: worst,
    peakWithCompilation,
    // After the peak is read: its own buffers count for nothing.
    machine: machineRates(threads),
    result,
  }
  if (spec.alone) return figures
  const compared = await call()
  const tell = async (map: ParameterArrays) =>
    spec.call === 'gradient' ? joined(map) : await projected(map)
  await writeNpy(at('ours.npy'), compared instanceof Map ? await tell(compared) : compared)
  await writeNpy(at('ours.output.npy'), await network.run(x))
  return figures
}

process.stdout.write(`${JSON.stringify(await main())}\n`)

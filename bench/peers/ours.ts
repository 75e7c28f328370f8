// Our side of one workload in a process of its own: `node ours.js FOLDER`. Prints JSON.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type NdArray, Network, type ParameterArrays, readNpy, writeNpy } from '../../lib/index.js'
import { native } from '../../lib/native.js'
import { peak, resetPeak } from '../memory.js'
import type { Figures, Spec } from './figures.js'

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
  const call = (): Promise<NdArray | ParameterArrays> => {
    switch (spec.call) {
      case 'ntk':
        return network.ntk(x)
      case 'trace':
        return network.ntk(x, { kernel: 'trace' })
      case 'jacobian':
        return network.jacobian(x)
      case 'eigenvalues':
        return eigenvalues(network)
      default:
        throw new Error(`no call ${spec.call}`)
    }
  }
  let start = performance.now()
  let result: NdArray | ParameterArrays | undefined = await call()
  const first = (performance.now() - start) / 1000
  const peakWithCompilation = peak()
  const times: number[] = []
  const processor: number[] = []
  let spent = 0
  while (
    times.length < spec.repeats &&
    (spent === 0 || spent + Math.min(...times) < spec.seconds)
  ) {
    // Without this the memory of the result before lives on until the collector finds it.
    result = undefined
    globalThis.gc?.()
    if (spent === 0) resetPeak()
    const used = process.cpuUsage()
    start = performance.now()
    result = await call()
    times.push((performance.now() - start) / 1000)
    const { user, system } = process.cpuUsage(used)
    processor.push((user + system) / 1e6)
    spent += times.at(-1) as number
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
    machine: native.machine(1024, threads),
    result: bytesOf(result as NdArray),
  }
  await writeNpy(
    at('ours.npy'),
    result instanceof Map ? await projected(result) : (result as NdArray),
  )
  await writeNpy(at('ours.output.npy'), await network.run(x))
  return figures
}

process.stdout.write(`${JSON.stringify(await main())}\n`)

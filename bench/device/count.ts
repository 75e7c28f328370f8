// One workload on the counted device, which does nothing but count what a card would be asked for: `node
// count.js WORKLOAD`. onnxruntime runs the network, and the processor passes zeros through nodes without
// code for devices, so that all blocks are those of the real call. Prints one line of JSON.
import { askJob, type Planned } from '../../lib/derivatives/derive.js'
import { planJacobian } from '../../lib/derivatives/jacobian.js'
import { planVjp } from '../../lib/derivatives/vjp.js'
import { type NdArray, Network } from '../../lib/index.js'
import { planKernels } from '../../lib/kernels/ntk.js'
import { cores } from '../../lib/model/core.js'
import { hostNodes } from '../../lib/model/devices.js'
import { type NativeDeviceCounts, native } from '../../lib/native/index.js'
import { Random } from '../../test/support/random.js'
import { cheapestWork } from '../flops.js'
import { type DeviceWorkload, workloads } from './workloads.js'

export interface Counted extends NativeDeviceCounts {
  name: string
  title: string
  /** Of the passes and the cheapest contraction (flops.ts), for a full kernel. */
  cheapest: number | null
  /** Operators of nodes that the processor serves. */
  onHost: string[]
  blocks: string
}

const MEMORY = 8 * 2 ** 30
/** Results leave in tiles of so many samples where they would not fit. */
const MOST_RESULT = 2 ** 31

function samplesOf({ samples, vocabulary }: DeviceWorkload, input: readonly number[]): NdArray {
  const size = input.reduce((product, extent) => product * extent, samples)
  const shape = [samples, ...input]
  const random = new Random(2)
  if (!vocabulary) return { data: random.normals(size), shape }
  const words = Array.from({ length: size }, () =>
    BigInt(Math.floor(random.uniform() * vocabulary)),
  )
  return { data: BigInt64Array.from(words), shape }
}

async function planned(network: Network, workload: DeviceWorkload, x: NdArray): Promise<Planned> {
  const core = cores.get(network)
  if (!core) throw new Error('the network has no core')
  const options = { device: 'emulated', memory: MEMORY, nonFinite: 'return' } as const
  const inputs = x as never
  switch (workload.call) {
    case 'jacobian':
      return planJacobian(core, inputs, options)
    case 'gradient': {
      const { data } = await network.run(x)
      return planVjp(
        core,
        inputs,
        { data, shape: [workload.samples, data.length / workload.samples] },
        options,
      )
    }
    default: {
      const kernel = workload.call === 'trace' ? 'trace' : 'full'
      return planKernels(core, inputs, undefined, { ...options, kernel })
    }
  }
}

async function count(workload: DeviceWorkload): Promise<Counted> {
  const { bytes, input, outputs, layers } = workload.network()
  await using network = await Network.load(bytes)
  const { architecture } = cores.get(network) ?? {}
  const { prepared, job, results } = await planned(network, workload, samplesOf(workload, input))
  prepared.device = { name: 'counted', why: '' }
  const sizes = results.map(({ shape }) => shape.reduce((product, size) => product * size, 4))
  const whole = sizes.reduce((sum, size) => sum + size, 0) <= MOST_RESULT
  const held = whole
    ? sizes.map((size) => ({ id: native.createShared(size), count: size / 4 }))
    : []
  const side = Math.floor(4096 / outputs)
  const { result } = askJob(prepared, job, MEMORY, {
    results: held,
    ...(whole
      ? {}
      : {
          tiles: {
            size: side,
            finished: [],
            widths: [workload.call === 'trace' ? 1 : outputs ** 2],
          },
          onTile: async ({ blocks }) => {
            for (const id of blocks) native.releaseShared(id)
          },
        }),
  })
  const { device } = await result
  for (const { id } of held) native.releaseShared(id)
  if (!device) throw new Error('nothing was counted')
  const work = workload.call === 'ntk' ? cheapestWork(layers, workload.samples, outputs) : undefined
  const onHost = architecture ? hostNodes(architecture).onHost.map(({ operator }) => operator) : []
  return {
    ...device,
    name: workload.name,
    title: workload.title,
    cheapest: work ? work.passes + work.contraction : null,
    onHost: [...new Set(onHost)],
    blocks: whole ? 'in memory' : `in tiles of ${side} samples`,
  }
}

const workload = workloads.find(({ name }) => name === process.argv[2])
if (!workload) throw new Error(`no workload ${process.argv[2]}`)
process.stdout.write(`${JSON.stringify(await count(workload))}\n`)

// One workload on the counted device, which does nothing but count what a card would be asked for: `node
// count.js WORKLOAD`. onnxruntime runs the network, and the processor passes zeros through nodes without
// code for devices, so that all blocks are those of the real call. Prints one line of JSON.
import { type NdArray, Network } from '../../lib/index.js'
import { cores } from '../../lib/model/core.js'
import { hostNodes } from '../../lib/model/devices.js'
import type { NativeDeviceCounts } from '../../lib/native/index.js'
import { Random } from '../../test/support/random.js'
import { cheapestWork } from '../flops.js'
import { workOn } from './work.js'
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

function samplesOf({ samples, vocabulary }: DeviceWorkload, input: readonly number[]): NdArray {
  const size = input.reduce((product, extent) => product * extent, samples)
  const shape = [samples, ...input]
  const random = new Random(2)
  if (!vocabulary) return { data: random.normals(size), shape }
  const words = Array.from({ length: size }, () => BigInt(random.integer(0, vocabulary - 1)))
  return { data: BigInt64Array.from(words), shape }
}

async function count(workload: DeviceWorkload): Promise<Counted> {
  const { bytes, input, outputs, layers } = workload.network()
  await using network = await Network.load(bytes)
  const { architecture } = cores.get(network) ?? {}
  const x = samplesOf(workload, input)
  const how = { device: 'counted', outputs, memory: MEMORY }
  const { run, tile } = await workOn(network, workload, x, how)
  const { device } = await run()
  if (!device) throw new Error('nothing was counted')
  const work = workload.call === 'ntk' ? cheapestWork(layers, workload.samples, outputs) : undefined
  const onHost = architecture ? hostNodes(architecture).onHost.map(({ operator }) => operator) : []
  return {
    ...device,
    name: workload.name,
    title: workload.title,
    cheapest: work ? work.passes + work.contraction : null,
    onHost: [...new Set(onHost)],
    blocks: tile === undefined ? 'in memory' : `in tiles of ${tile} samples`,
  }
}

const workload = workloads.find(({ name }) => name === process.argv[2])
if (!workload) throw new Error(`no workload ${process.argv[2]}`)
process.stdout.write(`${JSON.stringify(await count(workload))}\n`)

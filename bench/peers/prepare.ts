// What both sides read: the network, the inputs, and what a Jacobian is multiplied by.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Network, writeNpy } from '../../lib/index.js'
import { Random } from '../../test/support/random.js'
import type { BenchNetwork } from '../models.js'
import type { PeerWorkload } from './workloads.js'

/** Writes them into the folder. */
export async function prepare(
  workload: Pick<PeerWorkload, 'network' | 'samples' | 'vocabulary'> & { call: string },
  folder: string,
): Promise<BenchNetwork> {
  mkdirSync(folder, { recursive: true })
  const network = workload.network()
  writeFileSync(join(folder, 'model.onnx'), network.bytes)
  const random = new Random(2)
  const { vocabulary, samples } = workload
  const size = network.input.reduce((product, extent) => product * extent, samples)
  const data = vocabulary
    ? BigInt64Array.from({ length: size }, () => BigInt(random.integer(0, vocabulary - 1)))
    : random.normals(size)
  await writeNpy(join(folder, 'x.npy'), { data, shape: [samples, ...network.input] })
  if (workload.call === 'jacobian') {
    await using loaded = await Network.load(network.bytes)
    for (const [k, { count }] of loaded.parameters.entries()) {
      const direction = { data: random.normals(count), shape: [count] }
      await writeNpy(join(folder, `direction_${k}.npy`), direction)
    }
  }
  if (workload.call === 'gradient') {
    const cotangents = random.normals(samples * network.outputs)
    const shape = [samples, network.outputs]
    await writeNpy(join(folder, 'cotangents.npy'), { data: cotangents, shape })
  }
  return network
}

// One workload as a job on a device.
import { askJob, type Planned } from '../../lib/derivatives/derive.js'
import { planJacobian } from '../../lib/derivatives/jacobian.js'
import { planVjp } from '../../lib/derivatives/vjp.js'
import type { NdArray, Network } from '../../lib/index.js'
import { planKernels } from '../../lib/kernels/ntk.js'
import { cores } from '../../lib/model/core.js'
import type { Inputs } from '../../lib/model/inputs.js'
import { native } from '../../lib/native/index.js'
import type { ComputeResult } from '../../lib/runtime/protocol.js'
import type { TrainingAction, TrainingReply } from '../../lib/train/protocol.js'
import { setupOf } from '../../lib/train/setup.js'
import { BATCH, type DeviceWorkload } from './workloads.js'

/** Results leave in tiles where they would not fit. */
const MOST_RESULT = 2 ** 31

export interface Work {
  /** Samples of a tile; undefined: the results stay in memory. */
  tile: number | undefined
  run(): Promise<Pick<ComputeResult, 'device'>>
}

async function planned(
  network: Network,
  { call, samples }: Pick<DeviceWorkload, 'call' | 'samples'>,
  x: NdArray,
  memory: number,
): Promise<Planned> {
  const core = cores.get(network)
  if (!core) throw new Error('the network has no core')
  const options = { device: 'emulated', memory, nonFinite: 'return' } as const
  const inputs = x as never
  if (call === 'jacobian') return planJacobian(core, inputs, options)
  if (call === 'gradient') {
    const { data } = await network.run(inputs)
    const shape = [samples, data.length / samples]
    return planVjp(core, inputs, { data: new Float32Array(data.length).fill(1), shape }, options)
  }
  const kernel = call === 'trace' ? 'trace' : 'full'
  return planKernels(core, inputs, undefined, { ...options, kernel })
}

/** An epoch, by the worker's own service, which takes any device that the addon has. */
async function trained(
  network: Network,
  { samples, model = 'full' }: Pick<DeviceWorkload, 'samples' | 'model'>,
  x: NdArray,
  { device, outputs, memory }: { device: string; outputs: number; memory: number },
): Promise<Pick<ComputeResult, 'device'>> {
  const core = cores.get(network)
  if (!core) throw new Error('the network has no core')
  const classes = Int32Array.from({ length: samples }, (_, i) => i % outputs)
  const data = { x: x as Inputs, target: { data: classes, shape: [samples] } }
  const optimizer = { kind: 'adam', learningRate: 1e-3 } as const
  const options = { model, optimizer, epochs: 1, batch: BATCH, memory, device: 'cpu' } as const
  const setup = { ...(await setupOf(core, data, options)), device: { name: device, why: '' } }
  const plan = await core.plan()
  const ask = (action: TrainingAction) => {
    const message = { training: 1, action }
    const request = { type: 'service', service: 'train', message } as const
    return core.ask<TrainingReply>(request, {}, plan).result
  }
  await ask({ do: 'start', setup, identify: false })
  const order = Uint32Array.from({ length: samples }, (_, i) => i)
  const rates = new Float64Array(Math.floor(samples / BATCH)).fill(optimizer.learningRate)
  const { device: counts = null } = await ask({ do: 'steps', order, size: BATCH, rates })
  await ask({ do: 'end' })
  return { device: counts }
}

/** @param device as the addon takes it: `counted` as well, which the package refuses */
export async function workOn(
  network: Network,
  workload: Pick<DeviceWorkload, 'call' | 'samples' | 'model'>,
  x: NdArray,
  { device, outputs, memory }: { device: string; outputs: number; memory: number },
): Promise<Work> {
  if (workload.call === 'train') {
    const run = () => trained(network, workload, x, { device, outputs, memory })
    return { tile: undefined, run }
  }
  const { prepared, job, results } = await planned(network, workload, x, memory)
  prepared.device = { name: device, why: '' }
  const numbers = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
  const sizes = results.map(({ shape }) => 4 * numbers(shape))
  const whole = sizes.reduce((sum, size) => sum + size, 0) <= MOST_RESULT
  // Rows of a tile are one block.
  const size = Math.max(1, Math.floor(4096 / outputs))
  // Of a pair of samples, or of one for each parameter.
  const widths =
    workload.call === 'jacobian'
      ? results.map(({ shape }) => numbers(shape.slice(1)))
      : [workload.call === 'trace' ? 1 : outputs ** 2]
  const onTile = async ({ blocks }: { blocks: number[] }) => {
    for (const id of blocks) native.releaseShared(id)
  }
  return {
    tile: whole ? undefined : size,
    async run() {
      if (!whole) {
        const tiles = { size, finished: [], widths }
        return askJob(prepared, job, memory, { tiles, onTile }).result
      }
      const held = sizes.map((bytes) => ({ id: native.createShared(bytes), count: bytes / 4 }))
      try {
        return await askJob(prepared, job, memory, { results: held }).result
      } finally {
        for (const { id } of held) native.releaseShared(id)
      }
    },
  }
}

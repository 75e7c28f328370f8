// The workloads of bench:peers at ten times their samples, and those that only a card can do.
import type { TrainingModel } from '../../lib/train/protocol.js'
import { cnn, mlp } from '../models.js'
import { resnet18 } from '../peers/networks.js'
import { type PeerWorkload, workloads as peers } from '../peers/workloads.js'

/** Samples of a training's step. */
export const BATCH = 50

/** One job of the addon: a kernel, a Jacobian, one cotangent of all outputs times the Jacobian; or a training. */
export type DeviceCall = 'ntk' | 'trace' | 'jacobian' | 'gradient' | 'train'

export interface DeviceWorkload extends Pick<PeerWorkload, 'network' | 'vocabulary'> {
  name: string
  title: string
  samples: number
  call: DeviceCall
  /** What is trained. */
  model?: TrainingModel
}

const titleOf = ({ title }: PeerWorkload, samples: number) =>
  title.replace(/N = \d+.*|N·O = .*/, `N = ${samples}`)

// Eigenvalues are products one after another, whose number depends on the numbers: they are left out.
const scaled = peers
  .filter((peer) => peer.call !== 'eigenvalues')
  .map((peer): DeviceWorkload => {
    const samples = 10 * peer.samples
    const { name, network, vocabulary } = peer
    const title = `${titleOf(peer, samples)}${peer.call === 'trace' ? ', trace kernel' : ''}`
    const call = peer.call as DeviceCall
    return { name, title, samples, call, network, ...(vocabulary ? { vocabulary } : {}) }
  })

export const workloads: readonly DeviceWorkload[] = [
  ...scaled,
  {
    name: 'resnet18-1000-full',
    title: 'ResNet-18 at 64×64, 1000 outputs, N = 32',
    samples: 32,
    call: 'ntk',
    network: () => resnet18(64, 1000),
  },
  {
    name: 'cnn-trace',
    title: 'CNN of width 16, 32×32×3, N = 5000, trace kernel',
    samples: 5000,
    call: 'trace',
    network: () => cnn(16),
  },
  {
    name: 'fit',
    title: 'Kernel of an adaptive fit: MLP 784→128×4→10, N = 10,000, trace kernel',
    samples: 10_000,
    call: 'trace',
    network: () => mlp([784, 128, 128, 128, 128, 10]),
  },
  {
    name: 'train',
    title: `An epoch of Adam: MLP 784→128×4→10, N = 10,000 in batches of ${BATCH}`,
    samples: 10_000,
    call: 'train',
    model: 'full',
    network: () => mlp([784, 128, 128, 128, 128, 10]),
  },
  {
    name: 'train-adaptive',
    title: `The same of the adaptive model, from kept forward runs`,
    samples: 10_000,
    call: 'train',
    model: 'adaptive',
    network: () => mlp([784, 128, 128, 128, 128, 10]),
  },
  {
    name: 'train-resnet18',
    title: `An epoch of Adam: ResNet-18 at 64×64, 10 outputs, N = 200 in batches of ${BATCH}`,
    samples: 200,
    call: 'train',
    model: 'full',
    network: () => resnet18(64, 10),
  },
]

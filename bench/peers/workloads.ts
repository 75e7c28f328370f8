// The workloads that are measured in the peers, too.
import { type BenchNetwork, cnn, mlp } from '../models.js'
import { resnet18, text, vit } from './networks.js'

/**
 * What is computed: a full kernel (N, O, N, O), a trace kernel (N, N), a Jacobian, a spectrum, or
 * one cotangent of all outputs times the Jacobian (a forward and one reverse pass).
 */
export type Call = 'ntk' | 'trace' | 'jacobian' | 'eigenvalues' | 'gradient'

export interface PeerWorkload {
  name: string
  title: string
  samples: number
  call: Call
  network(): BenchNetwork
  /** Whole numbers below this are the input, instead of normal ones. */
  vocabulary?: number
  /** Eigenvalues wanted. */
  count?: number
  /** Peers that are tried, `side way`. */
  peers: readonly string[]
  /** Outputs whose products a peer forms at once, where it can be told. */
  chunk?: number
  /** Samples per block for the peers that would not fit whole: they are tried both ways. */
  block?: number
}

const contractions = ['jax jacobian-contraction', 'torch jacobian-contraction']
/** What builds on PyTorch and what reads ONNX files for JAX. */
const libraries = [
  'torch compiled',
  'torch nngeometry',
  'torch laplace',
  'torch curvlinops',
  'jaxonnxruntime contraction',
]
const all = [...contractions, 'jax structured', 'jax products', 'torch products']

export const workloads: readonly PeerWorkload[] = [
  {
    name: 'mlp-wide',
    title: 'MLP 3072→2048×3→8, N = 16',
    samples: 16,
    call: 'ntk',
    network: () => mlp([3072, 2048, 2048, 2048, 8]),
    peers: [...all, 'torch backpack', ...libraries],
  },
  {
    name: 'mlp-2',
    title: 'MLP 784→128×4→10, N = 2, one call after another',
    samples: 2,
    call: 'ntk',
    network: () => mlp([784, 128, 128, 128, 128, 10]),
    peers: [...contractions, 'jax structured', ...libraries],
  },
  {
    name: 'mlp-gram',
    title: 'MLP 784→128×4→10, N = 1000 (Gram matrix 10,000²)',
    samples: 1000,
    call: 'ntk',
    network: () => mlp([784, 128, 128, 128, 128, 10]),
    peers: [...contractions, 'jax structured', 'torch backpack', ...libraries],
    block: 250,
  },
  {
    name: 'cnn',
    title: 'CNN of width 16, 32×32×3, N = 200',
    samples: 200,
    call: 'ntk',
    network: () => cnn(16),
    peers: [...contractions, 'jax structured', 'torch backpack', ...libraries],
    block: 50,
  },
  {
    name: 'resnet18-8',
    title: 'ResNet-18 at 64×64, 10 outputs, N = 8',
    samples: 8,
    call: 'ntk',
    network: () => resnet18(64, 10),
    peers: [...contractions, 'jax structured', 'jax products', ...libraries],
    block: 2,
  },
  {
    name: 'resnet18-32',
    title: 'ResNet-18 at 64×64, 10 outputs, N = 32',
    samples: 32,
    call: 'ntk',
    network: () => resnet18(64, 10),
    peers: [...contractions, 'jax structured'],
    block: 4,
  },
  {
    name: 'vit',
    title: 'ViT of width 192, 6 blocks, 64×64 in patches of 8, 10 outputs, N = 16',
    samples: 16,
    call: 'ntk',
    network: () => vit(64, 8, 192, 6),
    peers: [...contractions, 'jax structured', ...libraries],
    block: 4,
  },
  {
    name: 'text',
    title: 'Text transformer of width 128, 4 blocks, 64 tokens, 4 outputs, N = 64, trace kernel',
    samples: 64,
    call: 'trace',
    network: () => text(1000, 64, 128, 4),
    vocabulary: 1000,
    peers: [...contractions, 'jax structured', ...libraries],
    block: 16,
  },
  {
    name: 'resnet18-1000',
    title: 'ResNet-18 at 64×64, 1000 outputs, N = 1',
    samples: 1,
    call: 'ntk',
    network: () => resnet18(64, 1000),
    chunk: 50,
    peers: [...contractions, 'jax structured', 'jax products', 'torch products'],
  },
  {
    name: 'eigenvalues',
    title: 'Top 20 eigenvalues of the full kernel, MLP 784→128×4→10, N·O = 50,000',
    samples: 5000,
    call: 'eigenvalues',
    count: 20,
    network: () => mlp([784, 128, 128, 128, 128, 10]),
    peers: ['jax eigenvalues', 'torch curvlinops-eigenvalues'],
  },
  {
    name: 'jacobian',
    title: 'Jacobian of the CNN of width 16, 32×32×3, N = 200, all of it',
    samples: 200,
    call: 'jacobian',
    network: () => cnn(16),
    peers: [
      'jax jacobian',
      'torch jacobian',
      'torch backpack-jacobian',
      'torch compiled-jacobian',
      'torch nngeometry-jacobian',
      'torch laplace-jacobian',
      'torch curvlinops-jacobian',
      'jaxonnxruntime jacobian',
    ],
  },
  {
    name: 'resnet18-gradient',
    title: 'Forward and one reverse pass of ResNet-18 at 64×64, 10 outputs, N = 8',
    samples: 8,
    call: 'gradient',
    network: () => resnet18(64, 10),
    peers: ['torch gradient'],
  },
]

export function workloadNamed(name: string): PeerWorkload {
  const found = workloads.find((workload) => workload.name === name)
  if (!found) {
    const names = workloads.map((workload) => workload.name).join(', ')
    throw new Error(`Expected a workload among ${names} but received ${name}`)
  }
  return found
}

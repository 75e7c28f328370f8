// The adaptive solver's workloads.
import { gaussians } from '../../lib/linear/random.js'
import { type BenchNetwork, cnn, mlp } from '../models.js'

export interface Case {
  name: string
  title: string
  samples: number
  outputs: number[] | undefined
  network(): BenchNetwork
}

const layers = [784, 128, 128, 128, 128, 10]
export const cases: readonly Case[] = [
  {
    name: 'mlp-1000',
    title: 'MLP 784→128×4→10, one output, N = 1000',
    samples: 1000,
    outputs: [0],
    network: () => mlp(layers),
  },
  {
    name: 'mlp-4000',
    title: 'the same, N = 4000',
    samples: 4000,
    outputs: [0],
    network: () => mlp(layers),
  },
  {
    name: 'mlp-all-300',
    title: 'the same, all ten outputs, N = 300',
    samples: 300,
    outputs: undefined,
    network: () => mlp(layers),
  },
  {
    name: 'cnn-500',
    title: "the paper's CNN, one output, N = 500",
    samples: 500,
    outputs: [0],
    network: () => cnn(16),
  },
]

/** Inputs with a decaying spectrum, as images have, and labels ±1 that a plane almost separates. */
export function data(samples: number, size: number, outputs: number) {
  const directions = 60
  const basis = gaussians(directions * size, 7)
  const codes = gaussians(samples * directions, 8)
  const noise = gaussians(samples * outputs, 9)
  const x = new Float32Array(samples * size)
  for (let i = 0; i < samples; i++) {
    for (let d = 0; d < directions; d++) {
      const weight = (codes[i * directions + d] as number) / (d + 1)
      for (let p = 0; p < size; p++) {
        x[i * size + p] = (x[i * size + p] as number) + weight * (basis[d * size + p] as number)
      }
    }
    let norm = 0
    for (let p = 0; p < size; p++) norm += (x[i * size + p] as number) ** 2
    const scale = 1 / Math.sqrt(norm)
    for (let p = 0; p < size; p++) x[i * size + p] = (x[i * size + p] as number) * scale
  }
  const y = Float64Array.from({ length: samples * outputs }, (_, r) => {
    const code = codes[Math.floor(r / outputs) * directions + (r % outputs)] as number
    return Math.sign(code + 0.2 * (noise[r] as number))
  })
  return { x, y }
}

// The blocks of a network's curvature, from the features of its samples in factors.
import { mismatch } from '../../core/errors.js'
import { factors } from '../../derivatives/features.js'
import { outputsOf } from '../../fit/network.js'
import { type CallOptions, type Core, cores } from '../../model/core.js'
import type { Network } from '../../network/network.js'
import type { Picker } from '../kernels.js'
import { type Block, factorsOf, Gathered, type Structure } from './blocks.js'
import type { Curvature } from './likelihood.js'

/** One block for each parameter that is not frozen. */
export async function blocksOf(
  network: Network,
  x: Picker,
  structure: Structure,
  curvature: Curvature,
  common: CallOptions,
  onFraction: (fraction: number) => void,
): Promise<Block[]> {
  const gathered = new Map<string, Gathered>()
  const weights = new Map<string, string>()
  await eachFactors(network, x, common, async (found, first, count) => {
    for (const [name, entry] of found) {
      if (structure === 'kron') checkMatrix(name, entry)
      if (entry.kind === 'factors' && entry.bias) weights.set(entry.bias, name)
      const own = factorsOf(name, entry)
      const sum = gathered.get(name) ?? new Gathered(own, structure)
      gathered.set(name, sum)
      await sum.add(own, first, curvature, common)
    }
    onFraction((first + count) / x.samples)
  })
  const blocks: Block[] = []
  for (const [name, sum] of gathered) {
    blocks.push(await sum.block(x.samples, gathered.get(weights.get(name) ?? '')))
  }
  return blocks
}

export type Found = Awaited<ReturnType<typeof factors>>

function checkMatrix(name: string, entry: Found extends Map<string, infer E> ? E : never): void {
  if (entry.kind !== 'dense' || entry.shape.length === 1) return
  const many = entry.matrix ? 'which is used several times' : 'which is no matrix'
  throw mismatch(
    'options.structure',
    "'full' or 'diagonal', or a network without",
    `'kron' with the parameter ${JSON.stringify(name)} (${entry.shape.join(' × ')}), ${many}`,
  )
}

/** Features of all samples in factors, some samples at a time. */
export async function eachFactors(
  network: Network,
  x: Picker,
  common: CallOptions,
  use: (found: Found, first: number, count: number) => Promise<void>,
): Promise<void> {
  const core = cores.get(network) as Core
  const { active } = core.architecture
  const { f } = await outputsOf(network, await x.take(0, 1), common)
  // Factors take about as many numbers as a weight has rows, and columns; what is none of both is small.
  const numbers = active.reduce(
    (sum, { parameter: { shape } }) => sum + 64 * shape.reduce((all, size) => all + size, 0),
    0,
  )
  const bytes = 8 * f.length * numbers
  const together = Math.max(1, Math.min(1024, Math.floor(core.budget(common) / 8 / bytes)))
  for (let first = 0; first < x.samples; first += together) {
    const count = Math.min(together, x.samples - first)
    await use(await factors(core, await x.take(first, count), common), first, count)
  }
}

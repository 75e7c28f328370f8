// The same joint problem as the paper's code solves it: Adam on the factors, in PyTorch or JAX.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FeatureBlock } from '../../lib/fit/features.js'
import { writeNpy } from '../../lib/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface AdamRun {
  /** The step that reached the gap; null where none did. */
  arrived: number | null
  /** Seconds of a step, taken before the run. */
  step: number
  /** Given to it: as many as fit into its time. */
  steps: number
  /** Gap, relative to the optimum, at a quarter, at half and at the end of the steps. */
  along: number[]
  /** The best one by shorter runs, and its schedule. */
  rate: number
  schedule: string
}

export type Framework = 'torch' | 'jax'

/** The Python that has it: $PYTHON, or the peers' environment. */
function python(framework: Framework): string {
  const made = join(root, `out/peers/venv-${framework}/bin/python`)
  return process.env.PYTHON ?? (existsSync(made) ? made : 'python3')
}

interface AdamOptions {
  framework: Framework
  /** Seconds: as many steps as fit into them. */
  limit: number
  /** For which the time of a step is taken. */
  threads: number
  /** That the steps are then made with. */
  own: number
  /** Seconds of a step, where it was taken before. */
  step: number | undefined
}

/** Runs it, after the rate was chosen by shorter runs. */
export async function adam(
  problem: {
    samples: number
    outputs: number
    blocks: readonly FeatureBlock[]
    targets: Float64Array
    ridge: number
    optimum: number
  },
  { framework, ...options }: AdamOptions,
): Promise<AdamRun> {
  const folder = join(root, 'out/solve')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { samples, outputs, blocks, targets, ridge, optimum } = problem
  const write = async (name: string, data: Float32Array | Float64Array, shape: number[]) => {
    await writeNpy(join(folder, name), { data, shape })
    return name
  }
  const described = []
  for (const [b, block] of blocks.entries()) {
    const { m, k } = block
    if ('x' in block) {
      const width = block.bias ? k - 1 : k
      const shape = block.transposed ? [samples * outputs, width, m] : [samples * outputs, m, width]
      const x = await write(`x${b}.npy`, block.x, shape)
      const bias = block.bias && (await write(`b${b}.npy`, block.bias, [samples * outputs, m]))
      described.push({ x, bias, transposed: block.transposed ?? false })
      continue
    }
    const { positions = 1, ones = false, h: right } = block
    if (right instanceof Int32Array) throw new Error('Adam knows no rows picked by number')
    const width = ones ? k - 1 : k
    const delta = await write(`d${b}.npy`, block.delta, [samples, outputs, positions, m])
    const h = await write(`h${b}.npy`, right, [samples, positions, width])
    described.push({ delta, h, ones })
  }
  await write('y.npy', targets, [samples * outputs])
  const spec = { blocks: described, ridge, optimum, tolerance: 1e-6, ...options }
  writeFileSync(join(folder, 'spec.json'), JSON.stringify(spec))
  const script = join(root, 'bench/peers/python/adam_factors.py')
  const { stdout, status, error } = spawnSync(python(framework), [script, folder, framework], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: process.env,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${script} ended with ${status}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) as string)
}

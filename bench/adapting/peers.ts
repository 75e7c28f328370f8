// The methods without a network, in Python (peers.py).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { heldOut, shuffled } from '../../lib/fit/folds.js'
import type { Outcome } from './methods.js'
import type { Budget, Split } from './task.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const out = join(root, 'out/adapting')

/** Makes the Python environment and the tabular sets, the first time. */
export function prepare(): void {
  if (existsSync(join(out, 'made'))) return
  const { status } = spawnSync('sh', [join(root, 'bench/adapting/setup.sh')], { stdio: 'inherit' })
  if (status !== 0) throw new Error('bench/adapting/setup.sh failed: it needs Python 3.11 and pip')
}

/** Predictions of the Gaussian process and the recursive feature machine. */
export function peerMethods({ peers }: Split, budget: Budget): Record<'gp' | 'rfm', Outcome> {
  const { folds, repeats } = budget
  const held = Array.from({ length: folds * repeats }, (_, f) => {
    const order = shuffled(peers.x.length, 1 + Math.floor(f / folds))
    return heldOut(order, f % folds, folds)[1]
  })
  mkdirSync(out, { recursive: true })
  const path = join(out, 'split.json')
  writeFileSync(path, JSON.stringify({ ...peers, folds: held }))
  const { stdout, stderr, status, error } = spawnSync(
    join(out, 'venv/bin/python'),
    [join(root, 'bench/adapting/peers.py'), path],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      env: { ...process.env, OPENBLAS_NUM_THREADS: '1' },
    },
  )
  if (error) throw error
  if (status !== 0) throw new Error(stderr)
  const answer = JSON.parse(stdout) as Record<'gp' | 'rfm', number[][]>
  const whole = (rows: number[][]) =>
    rows.flatMap((row, i) => row.map((value, o) => value + (peers.offset?.[i]?.[o] ?? 0)))
  return { gp: { prediction: whole(answer.gp) }, rfm: { prediction: whole(answer.rfm) } }
}

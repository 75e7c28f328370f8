// `npm run bench:peers [-- WORKLOAD …]`, `npm run bench:peers -- adaptive [CASE …] [--adam SECONDS|50x]`
// and `npm run bench:training`: makes the peers' Python environments the first time, then measures
// both sides. OpenBLAS chooses its kernel freely, as in scripts/bench.mjs.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _size, ...env } = process.env
/** @type {(command: string, args: string[]) => number} */
const run = (command, args) =>
  spawnSync(command, args, { cwd: root, env, stdio: 'inherit' }).status ?? 1

const made = ['torch', 'jax'].every((side) => existsSync(join(root, `out/peers/made-${side}`)))
process.exitCode = made ? 0 : run('sh', [join(root, 'bench/peers/setup.sh')])
if (process.exitCode === 0) {
  const [which, ...rest] = process.argv.slice(2)
  const [script, args] =
    which === 'training'
      ? ['dist/bench/training.js', rest]
      : which === 'adaptive'
        ? ['dist/bench/solve/main.js', ['--framework', 'jax', '--adam', '60', ...rest]]
        : ['dist/bench/peers/run.js', process.argv.slice(2)]
  process.exitCode = run(process.execPath, [join(root, script), ...args])
}

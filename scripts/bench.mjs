// `npm run bench [-- WORKLOAD …]`: kernels; `npm run bench -- solve [WORKLOAD …]`: fits; `npm run
// bench -- align [CHECKPOINTS [SAMPLES]]`: a kernel along training; `npm run bench -- real [NETWORK …]`:
// networks in the shapes of real files; `npm run bench -- routes`: docs/comparison.md; `npm run bench --
// export [SAMPLES [RANK]]`: exported models; `npm run bench -- adapting [TASK …]`: docs/adapting.md; `npm run
// bench -- device [WORKLOAD …]`: docs/gpu.md; `npm run bench -- few-labels`:
// docs/tutorials/few-labels.md; `npm run bench -- scale [PART …]`: docs/scale.md; `npm run bench:growth
// [-- SERIES …]`. OPENBLAS_CORETYPE, where a machine sets it for the tests' sake, would measure another
// kernel than the processor's own: it is unset for the benchmark alone.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _size, ...env } = process.env
const scripts = new Map([
  ['--growth', 'growth.js'],
  ['adapting', 'adapting/main.js'],
  ['align', 'align.js'],
  ['audit', 'audit.js'],
  ['device', 'device/main.js'],
  ['export', 'export.js'],
  ['few-labels', 'few-labels.js'],
  ['lds', 'lds.js'],
  ['many-labels', 'many-labels.js'],
  ['real', 'real/main.js'],
  ['routes', 'routes/main.js'],
  ['scale', 'scale/main.js'],
  ['solve', 'solve/main.js'],
])
const given = process.argv.slice(2)
const other = scripts.get(given[0] ?? '')
const script = join(root, 'dist/bench', other ?? 'run.js')
const { status } = spawnSync(process.execPath, [script, ...given.slice(other ? 1 : 0)], {
  cwd: root,
  env,
  stdio: 'inherit',
})
process.exitCode = status ?? 1

// `npm run test:store [-- --kills N]`: a store as zarr-python reads it; stores whose workers are killed again and
// again, by leases and by a queue.
import { spawnSync } from 'node:child_process'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup({ tests: true })
const given = process.argv.slice(2)
for (const args of [['read.js'], ['kills.js', ...given], ['kills.js', '--queue', ...given]]) {
  const [file, ...rest] = args
  const all = [`dist/test/store/${file}`, ...rest]
  const { status } = spawnSync(process.execPath, all, { cwd: root, stdio: 'inherit' })
  process.exitCode ||= status ?? 1
}

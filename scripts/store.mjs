// `npm run test:store [-- --kills N]`: stores as others read them, and everything that may happen to their workers:
// the parts that take longer than CI allows.
import { spawnSync } from 'node:child_process'
import { root } from './setup/run.mjs'
import { findFaketime, findPython, install } from './setup/system.mjs'
import { setup } from './setup.mjs'

await setup({ tests: true })
if (!findPython()) await install(['python'])
if (!findFaketime()) await install(['faketime'])
const env = { ...process.env, FAKETIME_LIBRARY: findFaketime() }
const given = process.argv.slice(2)
/** @type {[title: string, args: string[]][]} */
const parts = [
  ['zarr-python and numpy read a store', ['read.js']],
  ['a store in the bucket of moto', ['moto.js']],
  ['a full disk', ['disk.js']],
  ['power cuts', ['cuts.js']],
  ['partitions: folder, bucket and Redis', ['partitions.js']],
  ['workers killed and stopped, clocks an hour apart: leases', ['kills.js', ...given]],
  ['the same with a queue, whose Redis is restarted', ['kills.js', '--queue', ...given]],
]
for (const [title, [file, ...rest]] of parts) {
  process.stdout.write(`\n--- ${title}\n`)
  const all = [`dist/test/store/${file}`, ...rest]
  const { status } = spawnSync(process.execPath, all, { cwd: root, env, stdio: 'inherit' })
  process.exitCode ||= status ?? 1
}

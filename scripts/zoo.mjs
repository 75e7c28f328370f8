// `npm run test:zoo [-- NAME …]`: the architectures of test/zoo against their references.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
const { status } = spawnSync(
  process.execPath,
  [join(root, 'dist/test/zoo/table.js'), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)
process.exitCode = status ?? 1

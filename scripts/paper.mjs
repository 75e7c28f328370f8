// The paper's experiments: `npm run paper -- fig1 [--quick]`; see docs/paper.md.
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
const main = join(root, 'dist/examples/paper/main.js')
process.argv[1] = main
await import(main)

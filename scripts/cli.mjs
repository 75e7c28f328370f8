// The command line of this checkout: `npm run -s cli -- COMMAND …`.
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { setup } from './setup.mjs'

await setup()
const main = join(root, 'dist/lib/cli/main.js')
process.argv[1] = main
await import(main)

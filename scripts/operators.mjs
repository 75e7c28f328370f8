// Writes docs/operators.md from the registered operators and the table of their tests. Compile
// first: `npm run build`.
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup/run.mjs'

const { operatorsPage } = await import(join(root, 'dist/test/support/operators.js'))
const target = join(root, 'docs/operators.md')
writeFileSync(`${target}.tmp`, operatorsPage())
renameSync(`${target}.tmp`, target)

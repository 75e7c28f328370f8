// npm's `prepack`: what is packed from a clone has its compiled files. With --missing npm's `prepare`, the
// one step that an install from git runs: only where nothing is compiled yet.
// The binary is no part of this package, so nothing native is built.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { installPackages } from './setup/packages.mjs'
import { root, SetupError } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'
import { buildTypescript, typescriptStamp } from './setup/typescript.mjs'

function hasTools() {
  const require = createRequire(join(root, 'package.json'))
  return ['typescript', 'esbuild', 'ava'].every((name) => {
    try {
      return require.resolve(name) !== ''
    } catch {
      return false
    }
  })
}

async function compile() {
  if (!hasTools()) await installPackages()
  const compiled = typescriptStamp()
  if (compiled.current()) return
  await buildTypescript()
  compiled.write()
}

try {
  const made = existsSync(join(root, 'dist/package/index.js'))
  if (!(made && process.argv.includes('--missing'))) await compile()
  if (files('dist/lib').length === 0) throw new SetupError('dist/lib is empty: nothing to pack')
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}

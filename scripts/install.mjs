// The package's install script: builds the addon where npm installed it. It never touches the
// system: what is missing is named, with the command that installs it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildNative } from './setup/native.mjs'
import { root, SetupError } from './setup/run.mjs'

if (!existsSync(join(root, 'build/Release/adaptive_tangent.node'))) {
  try {
    await buildNative({ mayInstall: false })
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\nadaptive-tangent cannot be built: ${error.message}\n`)
    process.exitCode = 1
  }
}

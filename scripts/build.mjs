// `npx adaptive-tangent build`: compiles the addon where npm installed the package, with every step to
// be seen. It never touches the system: what is missing is named, with the command that installs it.
import { join } from 'node:path'
import { buildNative, fetchParts } from './setup/native.mjs'
import { root, SetupError, say } from './setup/run.mjs'
import { missingTools, remedy } from './setup/system.mjs'

try {
  // Told before anything is fetched.
  const missing = missingTools()
  if (missing.length) throw new SetupError(remedy(missing))
  await fetchParts()
  await buildNative({ mayInstall: false, show: true })
  say(`Built ${join(root, 'build/Release/adaptive_tangent.node')}`)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\nadaptive-tangent cannot be built: ${error.message}\n`)
  process.exitCode = 1
}

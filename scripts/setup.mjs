// Makes a checkout ready to run: system libraries, npm packages, the addon, compiled TypeScript.
// Does only what is not done yet, and says nothing when all is done.
import { pathToFileURL } from 'node:url'
import { locked } from './setup/lock.mjs'
import { buildNative, buildNativeTests, nativeStamp, nativeTestsStamp } from './setup/native.mjs'
import { installPackages, packagesCurrent } from './setup/packages.mjs'
import { SetupError } from './setup/run.mjs'
import { findBrowser, findRedis, install, remedy } from './setup/system.mjs'
import { buildTypescript, typescriptStamp } from './setup/typescript.mjs'

/** @param {{ tests: boolean }} wanted */
function ready({ tests }) {
  if (!packagesCurrent() || !nativeStamp().current() || !typescriptStamp().current()) return false
  return !tests || (nativeTestsStamp().current() && missingForTests().length === 0)
}

/** @returns {import('./setup/system.mjs').Part[]} */
function missingForTests() {
  /** @type {import('./setup/system.mjs').Part[]} */
  const missing = []
  if (!findBrowser()) missing.push('browser')
  if (!findRedis()) missing.push('redis')
  return missing
}

/** @param {{ tests: boolean }} wanted */
async function makeReady({ tests }) {
  if (!packagesCurrent()) await installPackages()
  const addon = nativeStamp()
  if (!addon.current()) {
    addon.touchChanged()
    await buildNative({ mayInstall: true })
    addon.write()
  }
  const compiled = typescriptStamp()
  if (!compiled.current()) {
    await buildTypescript()
    compiled.write()
  }
  if (!tests) return
  const units = nativeTestsStamp()
  if (!units.current()) {
    // What changed in native/ is as new as the addon's own build left it.
    units.touchChanged((path) => path.startsWith('test/'))
    await buildNativeTests()
    units.write()
  }
  await install(missingForTests())
  const missing = missingForTests()
  if (missing.length > 0) throw new SetupError(remedy(missing))
}

/**
 * Ends the process with one sentence when something cannot be had.
 * @param {{ tests?: boolean }} [wanted] `tests`: what the tests need as well, the unit tests of the
 *   C++ code, a browser for the report, a Redis for queues
 */
export async function setup({ tests = false } = {}) {
  try {
    if (ready({ tests })) return
    await locked(() => makeReady({ tests }))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\n${error.message}\n`)
    process.exit(1)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await setup({ tests: process.argv.includes('--tests') })
}

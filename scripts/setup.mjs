// Makes a checkout ready to run: system libraries, npm packages, the addon, compiled TypeScript.
// Does only what is not done yet, and says nothing when all is done.
import { pathToFileURL } from 'node:url'
import { locked } from './setup/lock.mjs'
import { buildNative, nativeStamp } from './setup/native.mjs'
import { installPackages, packagesCurrent } from './setup/packages.mjs'
import { SetupError } from './setup/run.mjs'
import { findBrowser, install, remedy } from './setup/system.mjs'
import { buildTypescript, typescriptStamp } from './setup/typescript.mjs'

/** @param {{ browser: boolean }} wanted */
function ready({ browser }) {
  if (!packagesCurrent() || !nativeStamp().current() || !typescriptStamp().current()) return false
  return !browser || findBrowser() !== undefined
}

/** @param {{ browser: boolean }} wanted */
async function makeReady({ browser }) {
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
  if (browser && !findBrowser()) {
    await install(['browser'])
    if (!findBrowser()) throw new SetupError(remedy(['browser']))
  }
}

/**
 * Ends the process with one sentence when something cannot be had.
 * @param {{ browser?: boolean }} [wanted] `browser`: what the tests of the report need as well
 */
export async function setup({ browser = false } = {}) {
  try {
    if (ready({ browser })) return
    await locked(() => makeReady({ browser }))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`\n${error.message}\n`)
    process.exit(1)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await setup({ browser: process.argv.includes('--browser') })
}

// The addon: CMake finds the libraries and says which are missing; see CMakeLists.txt.
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { root, run, SetupError, say } from './run.mjs'
import { files, Stamp } from './stamp.mjs'
import { install, missingTools, remedy } from './system.mjs'

const ADDON = 'build/Release/adaptive_tangent.node'

export function nativeStamp() {
  const require = createRequire(import.meta.url)
  const versions = ['cmake-js', 'node-addon-api', 'node-api-headers'].map((name) => {
    const { version } = require(join(root, 'node_modules', name, 'package.json'))
    return `${name} ${version}`
  })
  return new Stamp(
    'build/.setup.json',
    () => ['CMakeLists.txt', ...files('native')],
    () => files(ADDON),
    [process.platform, process.arch, ...versions].join(', '),
  )
}

/** Objects built in one checkout serve every other one. */
const ccache = { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' }

/** @param {string[]} args */
function cmakeJs(...args) {
  const script = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  const warnings = process.env.CI ? ['--CDAT_WERROR=ON'] : []
  return run(process.execPath, [script, ...args, '--directory', root, ...warnings], {
    env: { ...ccache, CMAKE_BUILD_PARALLEL_LEVEL: parallel },
  })
}

/**
 * The libraries that CMake did not find: CMakeLists.txt prints "missing libraries: BLAS;TBB".
 * @param {string} text
 */
function missingLibraries(text) {
  const line = text.match(/missing libraries: ([A-Z;]+)/)
  const names = line?.[1]?.split(';') ?? []
  return /** @type {('BLAS' | 'LAPACK' | 'TBB')[]} */ (names)
}

/** @param {string} text */
function showEnd(text) {
  if (!process.env.CI) process.stderr.write(text.split('\n').slice(-60).join('\n'))
}

/**
 * Configures and builds the addon. With `mayInstall`, installs what is missing of the system.
 * @param {{ mayInstall: boolean }} options
 */
export async function buildNative({ mayInstall }) {
  const tools = missingTools()
  if (tools.length && !mayInstall) throw new SetupError(remedy(tools))
  await install(tools)
  const stillMissing = tools.length ? missingTools() : []
  if (stillMissing.length) throw new SetupError(remedy(stillMissing))

  say('Building the addon …')
  let configured = await cmakeJs('configure')
  const libraries = missingLibraries(configured.text)
  if (libraries.length) {
    if (!mayInstall) throw new SetupError(remedy(libraries))
    await install(libraries)
    configured = await cmakeJs('configure')
  } else if (configured.status !== 0) {
    // A build folder that was moved, or made by another CMake.
    await cmakeJs('clean')
    configured = await cmakeJs('configure')
  }
  const left = missingLibraries(configured.text)
  if (left.length) throw new SetupError(remedy(left))
  if (configured.status !== 0) {
    showEnd(configured.text)
    throw new SetupError('CMake could not configure the addon (its words are above)')
  }
  const built = await cmakeJs('build')
  if (built.status !== 0) {
    showEnd(built.text)
    throw new SetupError('The addon did not compile (the compiler’s words are above)')
  }
}

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

/** The unit tests of the C++ code; `npm test` runs them. */
export const NATIVE_TESTS = 'build/native_tests'

export function nativeTestsStamp() {
  return new Stamp(
    'build/.tests.json',
    () => [
      'CMakeLists.txt',
      ...files('native'),
      ...files('test/native', (name) => /\.(cc|h)$/.test(name)),
    ],
    () => files(NATIVE_TESTS),
    `${process.platform}, ${process.arch}`,
  )
}

/** Objects built in one checkout serve every other one. */
const ccache = { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' }

/**
 * What is built: `folder` (build by default), with CMake's `defines`, one `target` or the addon.
 * @typedef {{ folder?: string, defines?: string[], target?: string }} Build
 */

/**
 * @param {string} command
 * @param {Build} build
 */
function cmakeJs(command, { folder = 'build', defines = [], target }) {
  const script = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js')
  const parallel = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  const all = [...(process.env.CI ? ['AT_WERROR=ON'] : []), ...defines]
  const args = [
    ...[script, command, '--directory', root, '--out', join(root, folder)],
    ...(target && command === 'build' ? ['--target', target] : []),
    ...all.map((define) => `--CD${define}`),
  ]
  return run(process.execPath, args, {
    env: { ...ccache, CMAKE_BUILD_PARALLEL_LEVEL: parallel },
  })
}

/**
 * The libraries that CMake did not find: CMakeLists.txt prints "missing libraries: BLAS;TBB".
 * @param {string} text
 */
function missingLibraries(text) {
  const line = text.match(/missing libraries: ([A-Za-z;]+)/)
  const names = line?.[1]?.split(';') ?? []
  return /** @type {('BLAS' | 'LAPACK' | 'TBB' | 'doctest')[]} */ (names)
}

/** @param {string} text */
function showEnd(text) {
  if (!process.env.CI) process.stderr.write(text.split('\n').slice(-60).join('\n'))
}

/**
 * Configures and builds the addon, or what `build` says. With `mayInstall`, installs what is
 * missing of the system.
 * @param {{ mayInstall: boolean }} options
 * @param {Build} [build]
 */
export async function buildNative({ mayInstall }, build = {}) {
  const tools = missingTools()
  if (tools.length && !mayInstall) throw new SetupError(remedy(tools))
  await install(tools)
  const stillMissing = tools.length ? missingTools() : []
  if (stillMissing.length) throw new SetupError(remedy(stillMissing))

  const what = build.target === undefined ? 'the addon' : 'the native unit tests'
  say(`Building ${what} …`)
  let configured = await cmakeJs('configure', build)
  const libraries = missingLibraries(configured.text)
  if (libraries.length) {
    if (!mayInstall) throw new SetupError(remedy(libraries))
    await install(libraries)
    configured = await cmakeJs('configure', build)
  } else if (configured.status !== 0) {
    // A build folder that was moved, or made by another CMake.
    await cmakeJs('clean', build)
    configured = await cmakeJs('configure', build)
  }
  const left = missingLibraries(configured.text)
  if (left.length) throw new SetupError(remedy(left))
  if (configured.status !== 0) {
    showEnd(configured.text)
    throw new SetupError(`CMake could not configure ${what} (its words are above)`)
  }
  const built = await cmakeJs('build', build)
  if (built.status !== 0) {
    showEnd(built.text)
    const name = what.replace(/^t/, 'T')
    throw new SetupError(`${name} did not compile (the compiler’s words are above)`)
  }
}

/** Builds the unit tests of the C++ code out of the addon's own objects. */
export function buildNativeTests() {
  return buildNative({ mayInstall: true }, { target: 'native_tests', defines: ['AT_TESTS=ON'] })
}

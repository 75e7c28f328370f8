// The addon: CMake finds the libraries and says which are missing; see native/cmake/system.cmake.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { npm } from './packages.mjs'
import { output, root, run, SetupError, say, step } from './run.mjs'
import { files, Stamp } from './stamp.mjs'
import { install, missingTools, remedy } from './system.mjs'

const ADDON = 'build/Release/adaptive_tangent.node'
/** Where an installed package keeps what only its build needs. */
const PARTS = join(root, 'build/parts')
const HEADERS = ['node-api-headers', 'node-addon-api']

/** @param {string} name of a package of the checkout, or of those that `fetchParts` brought */
function packageFolder(name) {
  return [root, PARTS].map((folder) => join(folder, 'node_modules', name)).find(existsSync)
}

export function nativeStamp() {
  const versions = HEADERS.map((name) => {
    const text = readFileSync(join(packageFolder(name) ?? '', 'package.json'), 'utf8')
    return `${name} ${JSON.parse(text).version}`
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

/** As CMake takes it. */
export function headerFolders() {
  const [api = '', addon = ''] = HEADERS.map(packageFolder)
  return `${join(api, 'include')};${addon}`
}

/** Objects built in one checkout serve every other one. */
const ccache = { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: '1' }

/**
 * @param {string[]} args
 * @param {boolean} show
 */
function cmake(args, show) {
  if (show) say(['cmake', ...args].join(' '))
  return run('cmake', args, { env: ccache, show })
}

/**
 * What is built: `folder` (build by default), with CMake's `defines`, one `target` or the addon.
 * @typedef {{ folder?: string, defines?: string[], target?: string }} Build
 */

/**
 * @param {Build} build
 * @param {boolean} show
 */
function configure({ folder = 'build', defines = [] }, show) {
  const place = join(root, folder)
  const options = [
    'CMAKE_BUILD_TYPE=Release',
    `CMAKE_LIBRARY_OUTPUT_DIRECTORY=${join(place, 'Release')}`,
    `AT_NODE_HEADERS=${headerFolders()}`,
    ...(process.env.CI ? ['AT_WERROR=ON'] : []),
    ...defines,
  ]
  const generator = output('ninja', ['--version']) === undefined ? 'Unix Makefiles' : 'Ninja'
  const words = options.map((option) => `-D${option}`)
  return cmake(['-G', generator, '-S', root, '-B', place, ...words], show)
}

/**
 * @param {Build} build
 * @param {boolean} show
 */
function compile({ folder = 'build', target }, show) {
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  const words = ['--build', join(root, folder), '--config', 'Release', '--parallel', jobs]
  return cmake([...words, ...(target ? ['--target', target] : [])], show)
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

/**
 * @param {string} text
 * @param {boolean} shown
 */
function showEnd(text, shown) {
  if (!shown && !process.env.CI) process.stderr.write(text.split('\n').slice(-60).join('\n'))
}

/**
 * CMake keeps paths in its folder: one that was moved, or made by another CMake, is of no use.
 * @param {Build} build
 */
function startAnew({ folder = 'build' }) {
  for (const name of ['CMakeCache.txt', 'CMakeFiles', 'build.ninja', 'Makefile', '.ninja_deps']) {
    rmSync(join(root, folder, name), { recursive: true, force: true })
  }
}

/** Is there a package for this platform? It carries onnxruntime's files. */
function bringsOnnxruntime() {
  const { platform, arch } = process
  const name = `adaptive-tangent-${platform}-${arch}${platform === 'linux' ? '-gnu' : ''}`
  try {
    return createRequire(join(root, 'package.json')).resolve(`${name}/package.json`) !== ''
  } catch {
    return false
  }
}

/**
 * In an installed package: the packages that only a build needs, and onnxruntime, where no package of
 * this platform brings it. None of their own install steps is run.
 */
export async function fetchParts() {
  const needed = [...HEADERS, ...(bringsOnnxruntime() ? [] : ['onnxruntime-node'])]
  if (needed.every((name) => packageFolder(name))) return
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  mkdirSync(PARTS, { recursive: true })
  const [program = '', ...before] = npm()
  const words = ['install', '--prefix', PARTS, '--ignore-scripts', '--no-audit', '--no-fund']
  const args = [...before, ...words, ...needed.map((name) => `${name}@${devDependencies[name]}`)]
  await step(`Fetching ${needed.join(', ')}`, program, args)
}

/**
 * Configures and builds the addon, or what `build` says. With `mayInstall`, installs what is
 * missing of the system; with `show`, lets everything be seen.
 * @param {{ mayInstall: boolean, show?: boolean }} options
 * @param {Build} [build]
 */
export async function buildNative({ mayInstall, show = false }, build = {}) {
  const tools = missingTools()
  if (tools.length && !mayInstall) throw new SetupError(remedy(tools))
  await install(tools)
  const stillMissing = tools.length ? missingTools() : []
  if (stillMissing.length) throw new SetupError(remedy(stillMissing))

  const what = build.target === undefined ? 'the addon' : 'the native unit tests'
  say(`Building ${what} …`)
  let configured = await configure(build, show)
  const libraries = missingLibraries(configured.text)
  if (libraries.length) {
    if (!mayInstall) throw new SetupError(remedy(libraries))
    await install(libraries)
    configured = await configure(build, show)
  } else if (configured.status !== 0) {
    startAnew(build)
    configured = await configure(build, show)
  }
  const left = missingLibraries(configured.text)
  if (left.length) throw new SetupError(remedy(left))
  if (configured.status !== 0) {
    showEnd(configured.text, show)
    throw new SetupError(`CMake could not configure ${what} (its words are above)`)
  }
  const built = await compile(build, show)
  if (built.status !== 0) {
    showEnd(built.text, show)
    const name = what.replace(/^t/, 'T')
    throw new SetupError(`${name} did not compile (the compiler’s words are above)`)
  }
}

/** Builds the unit tests of the C++ code out of the addon's own objects. */
export function buildNativeTests() {
  return buildNative({ mayInstall: true }, { target: 'native_tests', defines: ['AT_TESTS=ON'] })
}

// What must come from the system: a C++ compiler, make, CMake, BLAS, LAPACK, TBB, for the tests doctest, Redis,
// a browser and, for those of stores that take long, Python and libfaketime.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, run, SetupError, say } from './run.mjs'

/**
 * @typedef {'compiler' | 'make' | 'cmake' | 'BLAS' | 'LAPACK' | 'TBB' | 'doctest' | 'browser' | 'python' | 'redis' | 'faketime'} Part
 */

const OLDEST_CMAKE = [3, 18]

/** @type {Record<Part, string>} */
const NAMES = {
  compiler: 'a C++17 compiler',
  make: 'make',
  cmake: `CMake ${OLDEST_CMAKE.join('.')} or newer`,
  BLAS: 'BLAS',
  LAPACK: 'LAPACK',
  TBB: 'TBB',
  doctest: 'doctest',
  browser: 'Chromium or Chrome',
  python: 'Python 3',
  redis: 'Redis',
  faketime: 'libfaketime',
}

/**
 * How each package manager is called and what it calls the parts.
 * @type {Record<string, { command: string[], refresh?: string[], asRoot: boolean, parts: Record<Part, string> }>}
 */
const MANAGERS = {
  'apt-get': {
    refresh: ['apt-get', 'update'],
    command: ['apt-get', 'install', '-y', '--no-install-recommends'],
    asRoot: true,
    parts: {
      compiler: 'g++',
      make: 'make',
      cmake: 'cmake',
      BLAS: 'libopenblas-dev',
      LAPACK: 'libopenblas-dev',
      TBB: 'libtbb-dev',
      doctest: 'doctest-dev',
      browser: 'chromium',
      python: 'python3',
      redis: 'redis-server',
      faketime: 'faketime',
    },
  },
  dnf: {
    command: ['dnf', 'install', '-y'],
    asRoot: true,
    parts: {
      compiler: 'gcc-c++',
      make: 'make',
      cmake: 'cmake',
      BLAS: 'openblas-devel',
      LAPACK: 'openblas-devel',
      TBB: 'tbb-devel',
      doctest: 'doctest-devel',
      browser: 'chromium',
      python: 'python3',
      redis: 'redis',
      faketime: 'libfaketime',
    },
  },
  pacman: {
    command: ['pacman', '-S', '--needed', '--noconfirm'],
    asRoot: true,
    parts: {
      compiler: 'gcc',
      make: 'make',
      cmake: 'cmake',
      BLAS: 'blas-openblas',
      LAPACK: 'blas-openblas',
      TBB: 'onetbb',
      doctest: 'doctest',
      browser: 'chromium',
      python: 'python',
      redis: 'valkey',
      faketime: 'libfaketime',
    },
  },
  brew: {
    command: ['brew', 'install'],
    asRoot: false,
    parts: {
      compiler: 'llvm',
      make: 'make',
      cmake: 'cmake',
      BLAS: 'openblas',
      LAPACK: 'openblas',
      TBB: 'tbb',
      doctest: 'doctest',
      browser: '--cask chromium',
      python: 'python',
      redis: 'redis',
      faketime: 'libfaketime',
    },
  },
}

/** @param {string} command */
function has(command) {
  return output(command, ['--version']) !== undefined
}

/** The build tools that are missing. Libraries are looked for by CMake itself. */
export function missingTools() {
  /** @type {Part[]} */
  const missing = []
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']
  if (!compilers.some((command) => has(/** @type {string} */ (command.split(' ').at(-1))))) {
    missing.push('compiler')
  }
  if (!has('make') && !has('ninja')) missing.push('make')
  const version = output('cmake', ['--version'])?.match(/(\d+)\.(\d+)/)
  const [major = 0, minor = 0] = version ? version.slice(1).map(Number) : []
  const [oldMajor = 0, oldMinor = 0] = OLDEST_CMAKE
  if (major < oldMajor || (major === oldMajor && minor < oldMinor)) missing.push('cmake')
  return missing
}

/** A Chromium or Chrome for the tests of the report, or undefined. CHROME_PATH overrides. */
export function findBrowser() {
  const given = process.env.CHROME_PATH
  if (given) return existsSync(given) ? given : undefined
  const app = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
  if (existsSync(app)) return app
  const names = ['chromium', 'google-chrome', 'google-chrome-stable', 'chrome']
  const folders = (process.env.PATH ?? '').split(':')
  return names
    .flatMap((name) => folders.map((folder) => `${folder}/${name}`))
    .find((path) => existsSync(path))
}

/** A Redis server for the tests of queues, or undefined. REDIS_SERVER overrides. */
export function findRedis() {
  const names = [process.env.REDIS_SERVER, 'redis-server', 'valkey-server']
  return names.find((name) => name !== undefined && has(name))
}

/** The library that gives a process another clock, or undefined. FAKETIME_LIBRARY overrides. */
export function findFaketime() {
  const given = process.env.FAKETIME_LIBRARY
  if (given) return given
  const own = existsSync('/usr/lib') ? readdirSync('/usr/lib') : []
  const folders = [
    ...own.filter((name) => name.includes('-linux-')),
    '',
    '../lib64',
    '../local/lib',
  ]
  return folders
    .map((name) => join('/usr/lib', name, 'faketime/libfaketime.so.1'))
    .find((path) => existsSync(path))
}

export const findPython = () => (has('python3') ? 'python3' : undefined)

function packageManager() {
  const candidates = process.platform === 'darwin' ? ['brew'] : ['apt-get', 'dnf', 'pacman']
  return candidates.find((name) => output('which', [name]) !== undefined || has(name))
}

/** Ubuntu's chromium package only points to a snap, which containers cannot run. */
function isUbuntu() {
  try {
    return /^ID=ubuntu$/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

/**
 * "BLAS and TBB are missing" and what to do about it, as one sentence.
 * @param {Part[]} missing
 */
export function remedy(missing) {
  const names = missing.map((part) => NAMES[part])
  const last = names.pop()
  const list = names.length ? `${names.join(', ')} and ${last}` : last
  const what = `${list} ${missing.length > 1 ? 'are' : 'is'} missing`
  const command = installCommand(missing)
  if (command) {
    const needsSudo = MANAGERS[command.manager]?.asRoot && process.getuid?.() !== 0
    return `${what}: install with \`${needsSudo ? 'sudo ' : ''}${command.words.join(' ')}\``
  }
  if (missing.includes('browser')) {
    return `${what}: install one, or name its program in the environment variable CHROME_PATH`
  }
  return `${what}: install g++, make, cmake, OpenBLAS and oneTBB with their headers`
}

/** @type {Part[]} */
const BUILD = ['compiler', 'make', 'cmake', 'BLAS', 'LAPACK', 'TBB']

/**
 * One command for all that a build needs, if it needs anything: without a compiler nobody can tell
 * whether the libraries are there.
 * @param {Part[]} missing
 */
function installCommand(missing) {
  const manager = packageManager()
  const known = manager ? MANAGERS[manager] : undefined
  if (!manager || !known) return undefined
  if (missing.includes('browser') && isUbuntu()) return undefined
  const parts = [...(missing.some((part) => BUILD.includes(part)) ? BUILD : []), ...missing]
  const packages = parts.flatMap((part) => known.parts[part].split(' '))
  return { manager, words: [...known.command, ...new Set(packages)] }
}

/** The words that make a command run as root here, or undefined when that is not possible. */
function becomeRoot() {
  if (process.getuid?.() === 0) return []
  if (output('sudo', ['-n', 'true']) !== undefined) return ['sudo', '-n']
  return undefined
}

/**
 * Installs what is missing with the system's package manager, or throws the sentence that says how.
 * @param {Part[]} missing
 */
export async function install(missing) {
  if (missing.length === 0) return
  const command = installCommand(missing)
  const manager = command && MANAGERS[command.manager]
  const prefix = manager?.asRoot ? becomeRoot() : []
  if (!command || !manager || !prefix) throw new SetupError(remedy(missing))
  say(`Installing ${missing.map((part) => NAMES[part]).join(', ')} with ${command.manager} …`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const commands = [...(manager.refresh ? [manager.refresh] : []), command.words]
  for (const words of commands) {
    const [program = '', ...args] = [...prefix, ...words]
    const { status, text } = await run(program, args, { env })
    if (status !== 0) {
      if (!process.env.CI) process.stderr.write(text.split('\n').slice(-20).join('\n'))
      throw new SetupError(`\`${words.join(' ')}\` failed; ${remedy(missing)}`)
    }
  }
}

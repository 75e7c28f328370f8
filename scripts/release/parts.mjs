// What the platforms' packages are made of in addition to this tree, each held to a digest: a compiler that
// aims at an old C library from anywhere (PyPI's ziglang), OpenBLAS (PyPI's scipy-openblas32),
// oneTBB's sources, and onnxruntime's notices. Kept in build-release/parts.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { output, root, run, SetupError, say, step } from '../setup/run.mjs'
import { files } from '../setup/stamp.mjs'

export const WORK = 'build-release'
const parts = join(root, WORK, 'parts')

const OPENBLAS = 'scipy-openblas32==0.3.34.481.3'
const NOTICES = {
  // Held to the version of onnxruntime-node in package.json.
  platform: 'manylinux_2_28_x86_64',
  sha256: 'fd54b314ea385bcecac69ab431f020ba503e3878dad4ebb645fec5a24b041242',
}
const ZIG = {
  requirement: 'ziglang==0.15.2',
  /** @type {Record<string, { platform: string, sha256: string }>} by the machine that builds */
  wheels: {
    'linux-x64': {
      platform: 'manylinux2010_x86_64',
      sha256: '806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130',
    },
  },
}
const TBB = {
  version: '2021.8.0',
  repository: 'https://github.com/oneapi-src/oneTBB',
  sha256: 'ba7f72fc7b320b5096131fa71798b732d9ee2e7a58f1f3cb8bc324d070fc5938',
}

/** @param {Buffer | string} bytes */
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/**
 * A wheel of PyPI, unpacked; the folder's path.
 * @param {string} name of the folder
 * @param {string} requirement NAME==VERSION
 * @param {{ platform: string, sha256: string }} wheel
 */
async function wheel(name, requirement, { platform, sha256: wanted }) {
  const folder = join(parts, `${name}-${wanted.slice(0, 12)}`)
  if (existsSync(folder)) return folder
  const download = `${folder}.download`
  rmSync(download, { recursive: true, force: true })
  const only = ['--no-deps', '--only-binary=:all:', '--platform', platform]
  await step(`Fetching ${requirement}`, 'python3', [
    ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check'],
    ...(requirement.startsWith('onnxruntime==') ? ['--python-version', '3.11'] : []),
    ...only,
    ...['--dest', download, requirement],
  ])
  const [file = ''] = readdirSync(download)
  const found = sha256(readFileSync(join(download, file)))
  if (found !== wanted) {
    throw new SetupError(`${file} has the SHA-256 digest ${found}, not ${wanted}`)
  }
  await step(`Unpacking ${file}`, 'python3', ['-m', 'zipfile', '-e', join(download, file), folder])
  rmSync(download, { recursive: true })
  return folder
}

/** @param {import('./platforms.mjs').Platform} platform */
export const openblas = (platform) =>
  wheel(`openblas-${platform.name}`, OPENBLAS, platform.openblas)

/** The text of the licences of what is inside onnxruntime's library. */
export async function onnxruntimeNotices() {
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'),
  )
  const folder = await wheel('onnxruntime', `onnxruntime==${version}`, NOTICES)
  return readFileSync(join(folder, 'onnxruntime/ThirdPartyNotices.txt'), 'utf8')
}

/** The compiler's folder. */
export async function zig() {
  const wanted = ZIG.wheels[`${process.platform}-${process.arch}`]
  if (!wanted) {
    throw new SetupError(
      `Packages for Linux are built on linux-x64; this machine is ${process.platform}-${process.arch}`,
    )
  }
  const folder = join(await wheel('zig', ZIG.requirement, wanted), 'ziglang')
  // Python's zipfile forgets what may be executed.
  chmodSync(join(folder, 'zig'), 0o755)
  return folder
}

/**
 * Programs as CMake wants them: one file each.
 * @param {import('./platforms.mjs').Platform} platform
 */
export async function compiler(platform) {
  const program = join(await zig(), 'zig')
  const folder = join(root, WORK, platform.name, 'tools')
  mkdirSync(folder, { recursive: true })
  const tools = {
    cxx: `c++ -target ${platform.target}`,
    ar: 'ar',
    ranlib: 'ranlib',
  }
  for (const [name, words] of Object.entries(tools)) {
    const file = join(folder, name)
    const text = `#!/bin/sh\nexec '${program}' ${words} "$@"\n`
    // Written once: CMake takes a newer compiler for another one.
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      writeFileSync(file, text, { mode: 0o755 })
    }
  }
  const caches = join(root, WORK, 'zig-cache')
  return {
    cxx: join(folder, 'cxx'),
    ar: join(folder, 'ar'),
    ranlib: join(folder, 'ranlib'),
    env: { ZIG_GLOBAL_CACHE_DIR: caches, ZIG_LOCAL_CACHE_DIR: caches },
  }
}

/** @param {string} folder relative to the root */
function digestOfSources(folder) {
  const wanted = ['CMakeLists.txt', 'LICENSE.txt', 'cmake', 'include', 'src/tbb'].flatMap((path) =>
    files(join(folder, path)),
  )
  const lines = wanted.map(
    (path) => `${sha256(readFileSync(join(root, path)))} ${path.slice(folder.length)}\n`,
  )
  return sha256(lines.join(''))
}

/** Debian's copy of the sources, by way of the machine's own list of servers. */
async function fromDebian() {
  if (output('apt-get', ['--version']) === undefined) return
  const folder = join(parts, 'apt')
  mkdirSync(join(folder, 'lists/partial'), { recursive: true })
  const list = join(folder, 'list.sources')
  const sources = readdirSync('/etc/apt/sources.list.d')
    .filter((name) => name.endsWith('.sources'))
    .map((name) => readFileSync(join('/etc/apt/sources.list.d', name), 'utf8'))
    .filter((text) => text.includes('debian-archive-keyring'))
  writeFileSync(list, sources.join('\n').replaceAll(/^Types:.*$/gm, 'Types: deb-src'))
  const options = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${folder}/lists`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
  ].flatMap((option) => ['-o', option])
  say(`Fetching oneTBB ${TBB.version} from Debian …`)
  await run('apt-get', [...options, 'update'], { cwd: folder })
  await run('apt-get', [...options, 'source', '--download-only', 'onetbb'], { cwd: folder })
  const archive = readdirSync(folder).find((name) => name === `onetbb_${TBB.version}.orig.tar.xz`)
  if (archive) await run('tar', ['-xf', join(folder, archive), '-C', parts])
  rmSync(folder, { recursive: true })
}

/** oneTBB's sources: the folder's path. */
export async function tbb() {
  const name = `oneTBB-${TBB.version}`
  const folder = join(parts, name)
  mkdirSync(parts, { recursive: true })
  if (!existsSync(folder)) await fromDebian()
  if (!existsSync(folder)) {
    await step(`Fetching oneTBB ${TBB.version}`, 'git', [
      ...['clone', '--quiet', '--depth', '1', '--branch', `v${TBB.version}`],
      ...[TBB.repository, folder],
    ])
  }
  const found = digestOfSources(join(WORK, 'parts', name))
  if (found !== TBB.sha256) {
    throw new SetupError(`oneTBB's sources have the digest ${found}, not ${TBB.sha256}`)
  }
  return folder
}

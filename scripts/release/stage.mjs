// The packages as folders, and the folders as files. npm's own `pack` makes the files: sorted, with
// one time for all, so that the same contents give the same bytes.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { npm } from '../setup/packages.mjs'
import { root, run, SetupError, step } from '../setup/run.mjs'
import { checkBinary } from './binary.mjs'
import { platformNotices } from './notices.mjs'
import { packageName, platforms } from './platforms.mjs'

/** The most that a platform's package may weigh, packed. */
const LIMIT = 40e6

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/**
 * @param {string} path
 * @param {object} value
 */
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/**
 * onnxruntime-node's files for one platform, without its JavaScript (lib/native/onnxruntime.ts).
 * @param {import('./platforms.mjs').Platform} platform
 * @param {string} folder
 */
function stageOnnxruntime({ os, cpu }, folder) {
  const source = join(root, 'node_modules/onnxruntime-node')
  const { name, version, license, repository } = readJson(join(source, 'package.json'))
  mkdirSync(folder, { recursive: true })
  writeJson(join(folder, 'package.json'), { name, version, license, repository })
  const binaries = join('bin/napi-v6', os, cpu)
  cpSync(join(source, binaries), join(folder, binaries), { recursive: true })
  for (const file of readdirSync(join(folder, binaries))) {
    checkBinary(join(folder, binaries, file))
  }
}

/**
 * Completes a platform's folder, which has the addon and its libraries already.
 * @param {import('./platforms.mjs').Platform} platform
 * @param {string} folder
 */
export async function stagePlatform(platform, folder) {
  const own = readJson(join(root, 'package.json'))
  stageOnnxruntime(platform, join(folder, 'onnxruntime'))
  const name = packageName(platform)
  const binaries = readdirSync(folder).filter((file) => /\.(node|so|dylib|dll)$/.test(file))
  writeJson(join(folder, 'package.json'), {
    name,
    version: own.version,
    description: `The compiled core of adaptive-tangent for ${platform.name}, with OpenBLAS, oneTBB and onnxruntime`,
    license: 'MIT AND Apache-2.0 AND BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1',
    homepage: own.homepage,
    repository: own.repository,
    bugs: own.bugs,
    engines: own.engines,
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc ? { libc: [platform.libc] } : {}),
    main: 'adaptive_tangent.node',
    files: [...binaries, 'onnxruntime', 'THIRD-PARTY-NOTICES.txt'],
  })
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nThe compiled core of [adaptive-tangent](${own.homepage}) for ${platform.name}, which ` +
      'installs it by itself. It carries OpenBLAS, oneTBB and onnxruntime; their licences are in ' +
      'THIRD-PARTY-NOTICES.txt.\n',
  )
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), await platformNotices(platform))
}

/**
 * `npm pack` of a folder; the file's path.
 * @param {string} folder
 * @param {string} destination
 */
async function npmPack(folder, destination) {
  const [command = 'npm', ...first] = npm()
  const args = [...first, 'pack', folder, '--json', '--pack-destination', destination]
  const { status, text } = await run(command, args, { env: { npm_config_loglevel: 'error' } })
  const json = text.match(/^\[\n[\s\S]*^\]/m)?.[0]
  if (status !== 0 || !json) throw new SetupError(`npm pack of ${folder} failed:\n${text}`)
  return join(destination, JSON.parse(json)[0].filename)
}

const COMPILED = ['lib/index.d.ts', 'package/index.js', 'package/cli.js', 'commonjs/index.js']

/**
 * A package packed from a tree that was not compiled has none of what it promises.
 * @param {string} folder the package's
 */
export function checkCompiled(folder) {
  const lost = COMPILED.filter((path) => !existsSync(join(folder, 'dist', path)))
  if (lost.length > 0) throw new SetupError(`dist lacks ${lost.join(', ')}`)
}

/**
 * The main package as npm packs it from this tree, with the platforms' packages as optional
 * dependencies. They stand in no checkout's package.json: there a build of its own is used.
 * @param {string} folder
 */
export async function stageMain(folder) {
  mkdirSync(folder, { recursive: true })
  const file = await npmPack(root, folder)
  await step('Unpacking the main package', 'tar', ['-xzf', file, '-C', folder])
  const packed = join(folder, 'package')
  checkCompiled(packed)
  const { scripts: _, ava: __, allowScripts: ___, ...own } = readJson(join(packed, 'package.json'))
  const versions = platforms.map((platform) => [packageName(platform), own.version])
  writeJson(join(packed, 'package.json'), {
    ...own,
    optionalDependencies: Object.fromEntries(versions),
  })
  return packed
}

/**
 * @param {string[]} folders
 * @param {string} destination
 */
export async function packAll(folders, destination) {
  const files = []
  for (const folder of folders) {
    const file = await npmPack(folder, destination)
    const { size } = statSync(file)
    if (size > LIMIT) throw new SetupError(`${file} has ${size} bytes, more than ${LIMIT}`)
    files.push(file)
  }
  return files
}

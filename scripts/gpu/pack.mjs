// The folder that a bare machine with a card needs: Node, the addon with code for cards, its libraries,
// onnxruntime, tests, benchmark. Everything is of this machine; there only the C library, NVIDIA's driver and
// cuBLAS and cuSOLVER (of the toolkit, or of Python's packages) are used.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as esbuild from 'esbuild'
import { output, root, step } from '../setup/run.mjs'
import { files } from '../setup/stamp.mjs'

/** Of a part of the archive: a machine may take no more than 64 MiB at once, this repository included. */
const PART_BYTES = 30e6
const TESTS = [
  'dist/test/engine/device.test.js',
  'dist/test/engine/precision.test.js',
  'dist/test/ops/rules.test.js',
]
const PROGRAMS = [
  'dist/lib/index.js',
  'dist/lib/worker.js',
  'dist/lib/cli/main.js',
  'dist/bench/device/measure.js',
]
/** Libraries that no machine is sure to have. */
const CARRIED = /lib(tbb|openblas|gfortran|quadmath)[.-]/

/** Packages that files import, those that these need, and so on. @param {Iterable<string>} names */
function closure(names) {
  const found = new Set()
  const queue = [...names]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const file = join(root, 'node_modules', name, 'package.json')
    if (found.has(name) || !existsSync(file)) continue
    found.add(name)
    const { dependencies = {} } = JSON.parse(readFileSync(file, 'utf8'))
    queue.push(...Object.keys(dependencies))
  }
  return found
}

/** The packages that programs and tests load. @param {string[]} entries */
async function packagesOf(entries) {
  const { metafile } = await esbuild.build({
    entryPoints: entries.map((path) => join(root, path)),
    bundle: true,
    metafile: true,
    write: false,
    outdir: join(root, 'out'),
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  })
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) =>
    imports.map(({ path }) => path),
  )
  const names = imported.map((path) =>
    path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/'),
  )
  return closure([...names.filter((name) => !name.startsWith('node:')), 'ava'])
}

/** @param {string} program */
function librariesOf(program) {
  const lines = (output('ldd', [program]) ?? '').split('\n')
  return lines.flatMap((line) => {
    const [, name = '', path] = line.match(/^\s*(\S+) => (\S+)/) ?? []
    return path && CARRIED.test(name) ? [{ name, path }] : []
  })
}

/** @param {string} place @param {string} to @param {string} [from] */
function copy(place, to, from = join(root, to)) {
  mkdirSync(dirname(join(place, to)), { recursive: true })
  cpSync(from, join(place, to), { recursive: true, dereference: true })
}

/** @param {string} place @param {string[]} names */
async function strip(place, ...names) {
  for (const name of names)
    await step(`Stripping ${basename(name)}`, 'strip', ['--strip-unneeded', join(place, name)])
}

/** The unit tests of the C++ code: a program and its libraries. @param {string} place @param {string} build */
async function layCore(place, build) {
  copy(place, 'native_tests', join(root, build, 'native_tests'))
  await strip(place, 'native_tests')
  for (const { name, path } of librariesOf(join(root, build, 'native_tests')))
    copy(place, join('libraries', name), realpathSync(path))
}

/** Node, the addon, onnxruntime, tests, benchmark. @param {string} place @param {string} build */
async function layCheck(place, build) {
  const addon = 'build/Release/adaptive_tangent.node'
  copy(place, 'node', process.execPath)
  copy(place, addon, join(root, build, 'Release/adaptive_tangent.node'))
  await strip(place, 'node', addon)
  const solver = ['fit', 'linear', 'train']
    .flatMap((part) => files(`dist/test/${part}`))
    .filter((path) => /device[^/]*\.test\.js$/.test(path))
  for (const path of ['dist/lib', 'dist/test', 'dist/bench', 'test/fixtures', 'bench/device'])
    copy(place, path)
  copy(place, 'test/data/training.json')
  for (const path of ['package.json', 'bench/peers/python', 'scripts/gpu/steps.mjs'])
    copy(place, path)
  for (const name of await packagesOf([...PROGRAMS, ...TESTS, ...solver])) {
    if (name !== 'onnxruntime-node') copy(place, `node_modules/${name}`)
  }
  const runtime = 'node_modules/onnxruntime-node'
  for (const path of ['package.json', 'dist', `bin/napi-v6/${process.platform}/${process.arch}`])
    copy(place, join(runtime, path))
  const tests = { references: TESTS.slice(0, 2), cases: TESTS.slice(2), solver }
  const commit = output('git', ['rev-parse', '--short', 'HEAD'])?.trim() ?? null
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(place, 'gpu.json'), JSON.stringify({ version, commit, tests }))
}

/** @param {string} place @param {string} archive */
const packed = (place, archive) =>
  step(`Packing ${basename(archive)} (minutes)`, 'tar', [
    ...['--exclude=*.map', '--exclude=*.d.ts', '-I', 'xz -T0 -6', '-cf', archive, '-C', place, '.'],
  ])

/**
 * Makes the new contents of `folder`: core.tar.xz, the parts of check.tar.xz, run.sh. Returns the bytes of all.
 * @param {string} folder
 * @param {string} build folder of the addon and the unit tests
 */
export async function pack(folder, build) {
  rmSync(folder, { recursive: true, force: true })
  const core = join(folder, 'core')
  const check = join(folder, 'check')
  await layCheck(check, build)
  await packed(check, join(folder, 'check.tar.xz'))
  const archive = readFileSync(join(folder, 'check.tar.xz'))
  for (let first = 0, part = 0; first < archive.length; first += PART_BYTES, part++)
    writeFileSync(join(folder, `check.tar.xz.${part}`), archive.subarray(first, first + PART_BYTES))
  await layCore(core, build)
  writeFileSync(join(core, 'bytes'), `${archive.length}\n`)
  await packed(core, join(folder, 'core.tar.xz'))
  copyFileSync(join(root, 'scripts/gpu/run.sh'), join(folder, 'run.sh'))
  for (const name of ['core', 'check', 'check.tar.xz'])
    rmSync(join(folder, name), { recursive: true })
  return archive.length + statSync(join(folder, 'core.tar.xz')).size
}

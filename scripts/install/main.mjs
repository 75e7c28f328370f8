// `npm run test:install [-- DIR]`: the packed files (of DIR, or packed now) are installed in a bare system
// as published ones would be, by npm, pnpm and yarn, with Node 20, 22 and 24, and used; the files for arm64
// by npm, in emulation. --source compiles the core out of the packed files in a new Debian as well.
// Needs root, for arm64 qemu-user-static, for --source debootstrap. --only PART (installers, files, tools, arm64,
// source) tries a part alone; again for others.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { WORK } from '../release/parts.mjs'
import { npm } from '../setup/packages.mjs'
import { root, SetupError, step } from '../setup/run.mjs'
import { serve } from './registry.mjs'
import { bareRoot, compilingRoot, emulates, inside } from './root.mjs'
import { onThisSystem } from './tools.mjs'

const NODES = [20, 22, 24]
/** From nothing to the first kernel: of computing, so that a busy machine passes what an idle one does. */
const SECONDS = 15

const INSTALLS = {
  npm: 'npm install --ignore-scripts --no-audit --no-fund --registry URL adaptive-tangent',
  pnpm: 'pnpm add --ignore-scripts --registry URL adaptive-tangent',
  yarn: 'yarn add --ignore-scripts --registry URL adaptive-tangent',
}

let passed = 0
let failed = 0

/**
 * @param {string} title
 * @param {() => Promise<string>} body gives a remark
 */
async function check(title, body) {
  try {
    const remark = await body()
    passed++
    process.stdout.write(`ok ${title}${remark && ` (${remark})`}\n`)
  } catch (error) {
    failed++
    process.stdout.write(`not ok ${title}\n${/** @type {Error} */ (error).message}\n`)
  }
}

/**
 * @param {string} bare
 * @param {string} command
 */
async function succeed(bare, command) {
  const { status, text, seconds } = await inside(bare, command)
  if (status !== 0) throw new Error(`${command}\nended with ${status}:\n${text}`)
  return { text, seconds }
}

/** @param {string} text @param {RegExp} wanted */
function expect(text, wanted) {
  if (!wanted.test(text)) throw new Error(`Expected ${wanted} in:\n${text}`)
}

/**
 * Seconds of the processor that the shell's programs took: the last line of its `times`.
 * @param {string} text
 */
function lastTimes(text) {
  const line = text.trim().split('\n').at(-1) ?? ''
  const parts = [...line.matchAll(/(\d+)m([\d.]+)s/g)]
  return parts.reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0)
}

/** Programs that run where the package is installed. */
const USES = {
  'ES module': 'node kernel.mjs',
  CommonJS: 'node require.cjs',
  'worker threads': 'node threads.mjs',
  'command line': 'sh commands.sh',
}

/**
 * A project in a root, with the programs that use the package; its path there.
 * @param {string} bare
 * @param {string} name
 */
function project(bare, name) {
  const app = `/work/${name}`
  rmSync(join(bare, app), { recursive: true, force: true })
  mkdirSync(join(bare, app), { recursive: true })
  writeFileSync(join(bare, app, 'package.json'), '{ "name": "app", "type": "module" }\n')
  cpSync(join(root, 'scripts/install/uses'), join(bare, app), { recursive: true })
  return app
}

/**
 * @param {string} bare
 * @param {number} node
 * @param {keyof typeof INSTALLS} installer
 * @param {string} url
 */
async function install(bare, node, installer, url) {
  const app = project(bare, installer)
  // Nothing that an earlier installation left.
  for (const cache of ['root', 'tmp']) {
    for (const name of readdirSync(join(bare, cache))) {
      rmSync(join(bare, cache, name), { recursive: true, force: true })
    }
  }
  const words = INSTALLS[installer].replace('URL', url)
  await check(`Node ${node}, ${installer}: installs, first kernel`, async () => {
    const { text, seconds } = await succeed(
      bare,
      `cd ${app} && ${words} && node kernel.mjs && times`,
    )
    expect(text, /^kernel [\d.]+$/m)
    const computing = lastTimes(text)
    if (!(computing < SECONDS)) throw new Error(`It took ${computing} s, ${SECONDS} at most`)
    return `${computing.toFixed(1)} s of computing, ${seconds.toFixed(1)} s in all`
  })
  for (const [title, command] of Object.entries(USES)) {
    await check(`Node ${node}, ${installer}: ${title}`, async () => {
      await succeed(bare, `cd ${app} && ${command}`)
      return ''
    })
  }
}

/** @param {string} bare @param {string} folder of the packed files */
async function installFiles(bare, folder) {
  project(bare, 'files')
  const wanted = new RegExp(`^adaptive-tangent-(linux-${process.arch}-gnu-)?\\d.*\\.tgz$`)
  const files = readdirSync(folder).filter((name) => wanted.test(name))
  for (const name of files) cpSync(join(folder, name), join(bare, 'work/files', name))
  await check('two packed files together', async () => {
    const words = `npm install --ignore-scripts --no-audit --no-fund ${files.map((name) => `./${name}`).join(' ')}`
    const { seconds } = await succeed(bare, `cd /work/files && ${words} && node kernel.mjs`)
    return `${seconds.toFixed(1)} s`
  })
  await check('without the platform’s package: one sentence', async () => {
    const gone = `rm -r node_modules/adaptive-tangent-linux-${process.arch}-gnu`
    const { status, text } = await inside(bare, `cd /work/files && ${gone} && node kernel.mjs`)
    if (status === 0) throw new Error('It ran')
    expect(text, /No compiled core for linux-\w+ is installed; add the package adaptive-tangent-/)
    return ''
  })
  await check('build without a compiler: one sentence that names what is missing', async () => {
    const { status, text } = await inside(
      bare,
      'cd /work/files && npx --no-install adaptive-tangent build',
    )
    if (status !== 1) throw new Error(`It ended with ${status}:\n${text}`)
    expect(
      text,
      /^adaptive-tangent cannot be built: a C\+\+17 compiler, make and CMake .* are missing: install /m,
    )
    return ''
  })
}

/**
 * In a new Debian with the compiler and the libraries that docs/install.md names, without the platform's package:
 * all that is used is what the package's own command made.
 * @param {string} url
 */
async function compiled(url) {
  const bare = await compilingRoot(22)
  const app = project(bare, 'source')
  const words = INSTALLS.npm.replace('URL', url)
  await check('from source: installs without the platform’s package', async () => {
    await succeed(
      bare,
      `cd ${app} && ${words} --omit=optional && test $(ls node_modules | wc -l) = 1`,
    )
    return ''
  })
  await check('from source: adaptive-tangent build, every step shown', async () => {
    const command = `cd ${app} && npx --no-install adaptive-tangent build && times`
    const { text, seconds } = await succeed(bare, command)
    for (const shown of [
      /Fetching node-api-headers/,
      /^\[set-up\] cmake /m,
      /\[100%\] Built target/,
    ]) {
      expect(text, shown)
    }
    return `${lastTimes(text).toFixed(0)} s of computing, ${seconds.toFixed(0)} s in all`
  })
  for (const [title, command] of Object.entries(USES)) {
    await check(`from source: ${title}`, async () => {
      await succeed(bare, `cd ${app} && ${command}`)
      return ''
    })
  }
  await check('from source: doctor names the build', async () => {
    const { text } = await succeed(bare, `cd ${app} && npx --no-install adaptive-tangent doctor`)
    expect(text, /^core .*a build on this machine/m)
    return text.match(/OpenBLAS [\d.]+, kernel \w+/)?.[0] ?? ''
  })
}

/** Tests of the checkout that the binary for arm64 must pass: rules, kernels, solvers against float64. */
const ARM64_TESTS = ['references', 'sharing', 'fit/fixed', 'engine/kernel']

/**
 * arm64's package, by npm with Node 22: the programs above, and tests of this checkout with its binary.
 * @param {string} url
 */
async function emulated(url) {
  if (!emulates()) throw new SetupError('For arm64 install qemu-user-static')
  const gone = ARM64_TESTS.filter((name) => !existsSync(join(root, `dist/test/${name}.test.js`)))
  if (gone.length) throw new SetupError(`There is no compiled test ${gone.join(', ')}`)
  const bare = await bareRoot(22, 'arm64')
  const app = project(bare, 'npm')
  const words = INSTALLS.npm.replace('URL', url)
  await check('arm64: installs, first kernel', async () => {
    await succeed(bare, `cd ${app} && ${words} && node kernel.mjs`)
    return ''
  })
  await check('arm64: doctor', async () => {
    const { text } = await succeed(bare, `cd ${app} && npx --no-install adaptive-tangent doctor`)
    return text.match(/kernel \w+/)?.[0] ?? ''
  })
  await check('arm64: worker threads', async () => {
    await succeed(bare, `cd ${app} && node threads.mjs`)
    return ''
  })
  await copyCheckout(bare, app)
  // How fast a call is left says nothing in emulation.
  const ava =
    "node node_modules/ava/entrypoints/cli.mjs --timeout 20m --concurrency 1 --match '!*abort*'"
  for (const name of ARM64_TESTS) {
    await check(`arm64: test/${name}.test.ts`, async () => {
      const { text } = await succeed(bare, `cd /work/checkout && ${ava} dist/test/${name}.test.js`)
      return text.match(/\d+ tests? passed/)?.[0] ?? ''
    })
  }
}

/**
 * A copy of this checkout inside, with the installed binary.
 * @param {string} bare
 * @param {string} app
 */
async function copyCheckout(bare, app) {
  const copy = join(bare, 'work/checkout')
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(join(copy, 'build/Release'), { recursive: true })
  for (const file of ['dist', 'test', 'examples', 'package.json']) {
    cpSync(join(root, file), join(copy, file), { recursive: true })
  }
  // Of many files, none of which a test writes to.
  await step('Copying the packages', 'cp', ['-al', join(root, 'node_modules'), copy])
  const installed = join(bare, app, 'node_modules/adaptive-tangent-linux-arm64-gnu')
  for (const file of ['adaptive_tangent.node', 'libscipy_openblas.so']) {
    cpSync(join(installed, file), join(copy, 'build/Release', file))
  }
}

/**
 * What is tried, by the word of --only that asks for it alone.
 * @type {Record<string, (registry: Awaited<ReturnType<typeof serve>>, folder: string) => Promise<void>>}
 */
const PARTS = {
  async installers({ url }) {
    for (const node of NODES) {
      const bare = await bareRoot(node)
      for (const installer of /** @type {(keyof typeof INSTALLS)[]} */ (Object.keys(INSTALLS))) {
        await install(bare, node, installer, url)
      }
    }
  },
  files: async (_, folder) => installFiles(await bareRoot(22), folder),
  tools: ({ url }) => onThisSystem(check, INSTALLS.npm.replace('URL', url)),
  async arm64({ url, versions }) {
    if ('adaptive-tangent-linux-arm64-gnu' in versions) await emulated(url)
  },
  source: ({ url }) => compiled(url),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    source: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
})

/** The parts that are asked for. */
function wanted() {
  const { only, source } = values
  const unknown = only?.find((name) => !(name in PARTS))
  if (unknown !== undefined) {
    const names = Object.keys(PARTS).join(', ')
    throw new SetupError(`Expected one of ${names} for --only but received ${unknown}`)
  }
  return Object.entries(PARTS).filter(
    ([name]) => only?.includes(name) ?? (source || name !== 'source'),
  )
}

try {
  const parts = wanted()
  const [given] = positionals
  const folder = given === undefined ? join(root, WORK, 'packed') : resolve(given)
  if (given === undefined) {
    const [command = 'npm', ...first] = npm()
    await step('Packing', command, [...first, 'run', 'release', '--', '--dirty', '--pack', folder])
  }
  const registry = await serve(folder)
  for (const [, part] of parts) await part(registry, folder)
  registry.close()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  failed++
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 ? 1 : 0

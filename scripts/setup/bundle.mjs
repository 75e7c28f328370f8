// What dist/ has in addition to the compiler's output.
// dist/package: what the published package runs, a few files with the libraries inside: importing two
// hundred files takes longer than one may wait, and a package without dependencies installs anywhere.
// The libraries that draw the report are a file of their own, read when a report is drawn.
// dist/lib/protobuf/bufbuild: declarations of a library inside, which the package's own refer to.
// dist/commonjs: the entry for `require`, with declarations that TypeScript takes for CommonJS.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { mergeFiles } from './merge.mjs'
import { root, SetupError } from './run.mjs'

export const BUNDLES = ['dist/package', 'dist/commonjs', 'dist/lib/protobuf/bufbuild']
const [PACKAGE = '', COMMONJS = '', BUFBUILD = ''] = BUNDLES

/**
 * What starts on its own, by its name in the package.
 * @type {Record<string, string>}
 */
const ENTRIES = {
  index: 'dist/lib/index.js',
  cli: 'dist/lib/cli/main.js',
  'answer-worker': 'dist/lib/control/answer-worker.js',
  heartbeat: 'dist/lib/store/heartbeat.js',
}

/**
 * The thread that first calls wait for: files of CommonJS, with which a thread of Node starts sooner, two of them with
 * what every call needs. To read what trainings and float64 need takes longer than a small network's run.
 */
const WORKER = 'dist/lib/worker.js'

/** What most calls load: each of these in a few files. */
const LOADED_OFTEN = [
  'dist/lib/index.js',
  'dist/lib/cli/main.js',
  'dist/lib/cli/program.js',
  'dist/lib/cli/ntk.js',
]

const DRAWING = `
export * as Plot from '@observablehq/plot'
export * as dagre from '@dagrejs/dagre'
export { parseHTML } from 'linkedom'
export { encode } from 'fast-png'
`

/** @param {string} folder of an npm package */
function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  for (const file of ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license', 'LICENCE']) {
    try {
      return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
    } catch {
      // The next spelling.
    }
  }
  return `${name} ${version}: ${license}\n`
}

/** @param {{ inputs: Record<string, unknown> }[]} metafiles */
function licences(metafiles) {
  const folders = metafiles
    .flatMap(({ inputs }) => Object.keys(inputs))
    .map((path) => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter((folder) => folder !== undefined)
  const texts = [...new Set(folders)].sort().map((folder) => licence(join(root, folder)))
  return `These packages are inside the files of this folder.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/**
 * `new URL('../worker.js', import.meta.url)`: in the package the file lies next to whoever starts it.
 * @type {import('esbuild').Plugin}
 */
const workers = {
  name: 'workers',
  setup(build) {
    build.onLoad({ filter: /dist\/lib\/.*\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replaceAll(
        /new URL\('(\.[^']+)', import\.meta\.url\)/g,
        (_, file) => {
          const started = relative(root, join(dirname(path), file))
          if (started === WORKER) return "new URL('./worker.cjs', import.meta.url)"
          const entry = Object.entries(ENTRIES).find(([, own]) => own === started)
          if (!entry) throw new Error(`${path} starts ${started}, which is no entry of the package`)
          return `new URL('./${entry[0]}.js', import.meta.url)`
        },
      )
      return { contents }
    })
  },
}

/** Node reads less, and no characters of more than a byte; what messages and stacks tell keeps its name. */
const small = {
  charset: 'ascii',
  legalComments: 'none',
  minifyWhitespace: true,
  minifySyntax: true,
  // An error that nobody catches is told with its line.
  lineLimit: 160,
}

/** Common to the bundles. */
const options = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  metafile: true,
  logLevel: 'error',
}

/**
 * What can be loaded from a file on.
 * @param {import('esbuild').Metafile['outputs']} outputs
 * @param {string} path
 * @param {Set<string>} seen
 */
function reachable(outputs, path, seen = new Set()) {
  if (seen.has(path)) return seen
  seen.add(path)
  for (const { path: other } of outputs[path]?.imports ?? []) {
    if (outputs[other]) reachable(outputs, other, seen)
  }
  return seen
}

/**
 * esbuild splits no CommonJS: modules are split, and each of the files becomes one of CommonJS.
 * @param {any} esbuild
 * @returns {Promise<import('esbuild').Metafile>}
 */
async function bundleWorker(esbuild) {
  const folder = join(root, PACKAGE, 'worker')
  /** @type {{ metafile: import('esbuild').Metafile }} */
  const { metafile } = await esbuild.build({
    ...options,
    entryPoints: [WORKER],
    outdir: folder,
    format: 'esm',
    splitting: true,
  })
  const entry = Object.keys(metafile.outputs).find((path) => {
    return metafile.outputs[path]?.entryPoint === WORKER
  })
  const used = reachable(metafile.outputs, entry ?? '')
  const outputs = Object.fromEntries(
    Object.entries(metafile.outputs).filter(([path]) => used.has(path)),
  )
  for (const path of Object.keys(metafile.outputs)) if (!used.has(path)) rmSync(join(root, path))
  await mergeFiles(folder, outputs, [WORKER])
  const names = readdirSync(folder)
  /** @param {string} name */
  const named = (name) => (name === 'worker.js' ? '' : 'worker-') + name.replace(/js$/, 'cjs')
  for (const name of names) {
    let text = readFileSync(join(folder, name), 'utf8')
    for (const other of names) text = text.replaceAll(`"./${other}"`, `"./${named(other)}"`)
    const { code } = await esbuild.transform(text, {
      ...small,
      format: 'cjs',
      target: 'node20',
      platform: 'node',
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': '__url' },
      banner: "const __url = require('node:url').pathToFileURL(__filename).href",
    })
    writeFileSync(join(root, PACKAGE, named(name)), code)
  }
  rmSync(folder, { recursive: true })
  return metafile
}

async function bundlePackage() {
  const esbuild = createRequire(import.meta.url)('esbuild')
  rmSync(join(root, PACKAGE), { recursive: true, force: true })
  const program = await esbuild.build({
    ...options,
    entryPoints: Object.entries(ENTRIES).map(([out, file]) => ({ in: file, out })),
    outdir: PACKAGE,
    format: 'esm',
    splitting: true,
    chunkNames: 'shared-[hash]',
    plugins: [workers],
    // Those who use a queue install them.
    external: ['bullmq', 'ioredis'],
    // CommonJS libraries inside ask for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  })
  const folder = join(root, PACKAGE)
  await mergeFiles(folder, program.metafile.outputs, LOADED_OFTEN)
  for (const name of readdirSync(folder)) {
    const text = readFileSync(join(folder, name), 'utf8')
    const { code } = await esbuild.transform(text, { ...small, format: 'esm', target: 'node20' })
    writeFileSync(join(folder, name), code)
  }
  const worker = await bundleWorker(esbuild)
  const drawing = await esbuild.build({
    ...options,
    stdin: { contents: DRAWING, resolveDir: root, sourcefile: 'drawing.js' },
    outfile: join(PACKAGE, 'drawing.cjs'),
    format: 'cjs',
    minify: true,
    // Its absence is allowed for.
    external: ['canvas'],
  })
  const text = licences([program.metafile, worker, drawing.metafile])
  writeFileSync(join(root, PACKAGE, 'LICENSES.txt'), text)
}

const REQUIRE = `'use strict'
try {
  module.exports = require('../package/index.js')
} catch (error) {
  if (error.code !== 'ERR_REQUIRE_ESM') throw error
  throw new Error(
    'adaptive-tangent is an ES module, which require() cannot load in Node ' +
      process.version +
      ": write await import('adaptive-tangent'), or use Node 20.19, 22.12 or later",
    { cause: error },
  )
}
`

/**
 * Declarations and those that they refer to.
 * @param {string[]} entries
 */
function declarations(...entries) {
  const found = new Set(entries)
  for (const path of found) {
    const text = readFileSync(path, 'utf8')
    for (const [, name = ''] of text.matchAll(/(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/g)) {
      found.add(join(dirname(path), `${name}.d.ts`))
    }
  }
  return [...found]
}

/**
 * The messages' types are made of @bufbuild/protobuf's, which is inside the package: so are its
 * declarations, without which TypeScript finds types of `defineOperator` nowhere.
 */
function writeBufbuild() {
  const source = join(root, 'node_modules/@bufbuild/protobuf/dist/esm')
  const target = join(root, BUFBUILD)
  const messages = join(root, 'dist/lib/protobuf/generated/onnx_pb.d.ts')
  const entries = {
    '@bufbuild/protobuf': 'index',
    '@bufbuild/protobuf/codegenv2': 'codegenv2/index',
  }
  rmSync(target, { recursive: true, force: true })
  const paths = Object.values(entries).map((entry) => join(source, `${entry}.d.ts`))
  for (const path of declarations(...paths)) copyTo(join(target, relative(source, path)), path)
  let text = readFileSync(messages, 'utf8')
  for (const [name, entry] of Object.entries(entries)) {
    text = text.replaceAll(`"${name}"`, `"../bufbuild/${entry}.js"`)
  }
  writeFileSync(messages, text)
}

/**
 * @param {string} target
 * @param {string} source
 */
function copyTo(target, source) {
  mkdirSync(dirname(target), { recursive: true })
  cpSync(source, target)
}

function writeCommonjs() {
  const folder = join(root, COMMONJS)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  writeFileSync(join(folder, 'index.js'), REQUIRE)
  for (const path of declarations(join(root, 'dist/lib/index.d.ts'))) {
    copyTo(path.replace(join(root, 'dist/lib'), folder), path)
  }
}

export async function bundle() {
  try {
    await bundlePackage()
  } catch (error) {
    throw new SetupError(`esbuild could not bundle the package: ${error}`)
  }
  writeBufbuild()
  writeCommonjs()
}

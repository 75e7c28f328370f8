// TypeScript to dist/. The compiler's type check is the project's type check.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { BUNDLES, bundle } from './bundle.mjs'
import { generateMessages, SCHEMA } from './messages.mjs'
import { root, step } from './run.mjs'
import { files, Stamp } from './stamp.mjs'

const SOURCES = ['lib', 'test', 'bench', 'examples']

const sources = () => SOURCES.flatMap((folder) => files(folder, (name) => name.endsWith('.ts')))
const outputs = () => files('dist', (name) => /\.(c?js|d\.ts|map)$/.test(name))

export function typescriptStamp() {
  const { version } = createRequire(import.meta.url)('typescript/package.json')
  return new Stamp(
    'dist/.setup.json',
    () => [
      ...['tsconfig.json', 'package-lock.json', 'scripts/setup/bundle.mjs', SCHEMA],
      ...sources(),
    ],
    outputs,
    `typescript ${version}`,
  )
}

/** A test whose source is gone must not run on. */
function removeOrphans() {
  const known = new Set(sources().map((path) => path.replace(/\.ts$/, '')))
  const made = (/** @type {string} */ path) =>
    BUNDLES.some((folder) => path.startsWith(`${folder}/`))
  for (const path of outputs()) {
    if (made(path)) continue
    const source = path.replace(/^dist\//, '').replace(/(\.d\.ts|\.js)(\.map)?$/, '')
    if (!known.has(source)) rmSync(join(root, path))
  }
}

const MEMORY = join(root, 'dist/.tsbuildinfo')

/** The compiler's memory of what it wrote must not outlive a file that it wrote. */
function forgetIfIncomplete() {
  if (!existsSync(MEMORY)) return
  /** @type {{ fileNames?: string[] }} */
  const { fileNames = [] } = JSON.parse(readFileSync(MEMORY, 'utf8'))
  const lost = fileNames
    .map((name) => name.match(/^\.\.\/((?:lib|test|bench|examples)\/.*)\.ts$/)?.[1])
    .some((name) => name !== undefined && !existsSync(join(root, 'dist', `${name}.js`)))
  if (lost) rmSync(MEMORY)
}

export async function buildTypescript() {
  await generateMessages()
  removeOrphans()
  forgetIfIncomplete()
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  await step('Compiling TypeScript', process.execPath, [tsc, '-p', join(root, 'tsconfig.json')])
  await bundle()
}

// What no linter knows of this project: which layer of native/ may include which, which of lib/ may
// import which, that no circle is among the files, how long a file may be, and that nothing is left
// for later.
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { root } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'

const LONGEST = 450

/** The examples and versions in docstrings, which do not count as a file's length. */
const EXAMPLE = /^ *\* @example\n *\* ```js\n(?:.*\n)*? *\* ```\n|^ *\* @since .*\n/gm

/**
 * The layers of native/ that each layer may include, other than itself.
 * @type {Record<string, string[]>}
 */
const MAY_INCLUDE = {
  core: [],
  device: ['core'],
  kernels: ['core', 'device'],
  linear: ['core', 'device'],
  graph: ['core'],
  rules: ['core', 'device', 'graph'],
  reverse: ['core', 'device', 'graph', 'rules'],
  forward: ['core', 'device', 'graph', 'rules', 'reverse'],
  jobs: ['core', 'device', 'kernels', 'linear', 'graph', 'rules', 'reverse', 'forward'],
  train: ['core', 'device', 'kernels', 'linear', 'graph', 'rules', 'reverse', 'forward', 'jobs'],
  fit: ['core', 'device', 'kernels', 'linear'],
  binding: [
    'core',
    'device',
    'kernels',
    'graph',
    'rules',
    'reverse',
    'forward',
    'jobs',
    'train',
    'linear',
    'fit',
  ],
}

/**
 * @param {string} path
 * @param {string} line
 * @returns {string | undefined}
 */
function includeFault(path, line) {
  const included = line.match(/^\s*#\s*include\s+"([^"]+)"/)?.[1]
  if (included === undefined) return undefined
  const layer = path.split('/')[1] ?? ''
  const target = included.split('/')[0] ?? ''
  const allowed = MAY_INCLUDE[layer]
  if (!allowed) return `native/${layer} is not a layer that scripts/layers.mjs knows`
  if (!included.includes('/') || !(target in MAY_INCLUDE)) {
    return `includes "${included}", which does not start with a layer's name`
  }
  if (target === layer || allowed.includes(target)) return undefined
  return `native/${layer} must not include "${included}"`
}

/** The layers of lib/, each of which may import those before it. What lies in lib/ itself sees all. */
const LAYERS = [
  'core',
  'protobuf',
  'io',
  'native',
  'onnx',
  'graph',
  'runtime',
  'control',
  'model',
  'linear',
  'derivatives',
  'kernels',
  'network',
  'store',
  'export',
  'fit',
  'adapt',
  'sketch',
  'train',
  'builder',
  'alignment',
  'probe',
  'audit',
  'report',
  'cli',
]
/** Files of lib/ itself at most. */
const ROOT_FILES = 3

/**
 * Modules of lib/ that a file imports; types count.
 * @param {string} path
 */
function importsOf(path) {
  const code = readFileSync(join(root, path), 'utf8')
  const found = code.matchAll(/(?:\bfrom|\bimport\(?)\s*'(\.[^']+)\.js'/g)
  return [...new Set([...found].map(([, to]) => normalize(`${dirname(path)}/${to}.ts`)))]
}

/** @param {Map<string, string[]>} imports */
function arrowFaults(imports) {
  const layer = (/** @type {string} */ path) => {
    const [, folder, file] = path.split('/')
    return file === undefined ? LAYERS.length : LAYERS.indexOf(folder ?? '')
  }
  const faults = []
  for (const [path, targets] of imports) {
    if (layer(path) < 0)
      faults.push(`${path}: lies in a folder that scripts/layers.mjs does not know`)
    for (const target of targets) {
      if (layer(target) > layer(path)) faults.push(`${path}: must not import ${target}`)
    }
  }
  return faults
}

/**
 * Circles among files, each told once, from the first of its files on.
 * @param {Map<string, string[]>} imports
 */
function circleFaults(imports) {
  /** @type {string[]} */
  const faults = []
  const done = new Set()
  /** @param {string} path @param {string[]} way */
  const visit = (path, way) => {
    const seen = way.indexOf(path)
    if (seen >= 0) faults.push(`${[...way.slice(seen), path].join(' → ')}: a circle`)
    if (seen >= 0 || done.has(path)) return
    for (const target of imports.get(path) ?? []) visit(target, [...way, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  return faults
}

function libFaults() {
  const sources = files('lib', (name) => name.endsWith('.ts'))
  const imports = new Map(sources.map((path) => [path, importsOf(path)]))
  const top = sources.filter((path) => path.split('/').length === 2)
  const crowd = top.length > ROOT_FILES ? [`lib: ${top.length} files, ${ROOT_FILES} at most`] : []
  return [...crowd, ...arrowFaults(imports), ...circleFaults(imports)]
}

/** All faults as "path:line: what is wrong". */
export function layerFaults() {
  const sources = ['native', 'lib', 'test', 'bench', 'examples', 'scripts'].flatMap((folder) =>
    files(folder, (name) => /\.(cc|h|cu|cuh|ts|mjs)$/.test(name) && !name.endsWith('_pb.ts')),
  )
  // In two parts, or this file would be its own fault.
  const later = new RegExp(`\\b(TO${'DO'}|FIX${'ME'})\\b`)
  /** @type {string[]} */
  const faults = []
  for (const path of sources) {
    const text = readFileSync(join(root, path), 'utf8')
    const lines = text.split('\n')
    const length = text.replace(EXAMPLE, '').split('\n').length - 1
    if (length > LONGEST) faults.push(`${path}: ${length} lines, ${LONGEST} at most`)
    lines.forEach((line, index) => {
      const fault = path.startsWith('native/') ? includeFault(path, line) : undefined
      if (fault) faults.push(`${path}:${index + 1}: ${fault}`)
      if (later.test(line)) faults.push(`${path}:${index + 1}: something is left to do here`)
    })
  }
  return [...faults, ...libFaults()]
}

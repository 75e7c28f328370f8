// What no linter knows of this project: which layer of native/ may include which, how long a file
// may be, and that nothing is left for later.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'

const LONGEST = 450

/**
 * The layers of native/ that each layer may include, beside itself. "cuda" mirrors the CPU's side,
 * and nothing but the binding knows of it.
 * @type {Record<string, string[]>}
 */
const MAY_INCLUDE = {
  core: [],
  linear: ['core'],
  graph: ['core'],
  rules: ['core', 'graph'],
  reverse: ['core', 'graph', 'rules'],
  forward: ['core', 'graph', 'rules', 'reverse'],
  contraction: ['core', 'linear', 'graph', 'rules', 'reverse', 'forward'],
  training: ['core', 'linear', 'graph', 'rules', 'reverse', 'forward', 'contraction'],
  solve: ['core', 'linear'],
  cuda: ['core', 'graph', 'rules', 'reverse', 'forward', 'contraction', 'solve'],
  binding: [
    'core',
    'graph',
    'rules',
    'reverse',
    'forward',
    'contraction',
    'training',
    'linear',
    'solve',
    'cuda',
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
    const lines = readFileSync(join(root, path), 'utf8').split('\n')
    if (lines.length - 1 > LONGEST) {
      faults.push(`${path}: ${lines.length - 1} lines, ${LONGEST} at most`)
    }
    lines.forEach((line, index) => {
      const fault = path.startsWith('native/') ? includeFault(path, line) : undefined
      if (fault) faults.push(`${path}:${index + 1}: ${fault}`)
      if (later.test(line)) faults.push(`${path}:${index + 1}: something is left to do here`)
    })
  }
  return faults
}

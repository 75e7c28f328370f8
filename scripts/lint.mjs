// `npm run lint` checks, `npm run format` fixes: Biome for TypeScript and JavaScript, clang-format
// for C++ (the program of one npm package, so that every machine formats alike), layers and words.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { layerFaults } from './layers.mjs'
import { root } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'
import { wordFaults } from './words.mjs'

const fix = process.argv.includes('--fix')

/**
 * @param {string} program one that an npm package brought
 * @param {string[]} args
 */
function passes(program, ...args) {
  const script = join(root, 'node_modules/.bin', program)
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return status === 0
}

const sources = ['native', 'test/native'].flatMap((folder) =>
  files(folder, (name) => /\.(cc|h|cu|cuh)$/.test(name)),
)
const results = [
  passes('biome', 'check', '--error-on-warnings', ...(fix ? ['--write'] : [])),
  passes('clang-format', ...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources),
]
const faults = [...layerFaults(), ...wordFaults()]
for (const fault of faults) process.stderr.write(`${fault}\n`)
process.exitCode = faults.length === 0 && results.every(Boolean) ? 0 : 1

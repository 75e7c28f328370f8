// `npm run test:sanitize [-- address|thread]`: the unit tests of the C++ code, and the ava tests
// below, in builds that watch memory and undefined behaviour (build-asan), the unit tests in one that
// watches threads (build-tsan). The last line counts: "N passed, N failed".
import { join } from 'node:path'
import { runAva } from './ava.mjs'
import { buildNative } from './setup/native.mjs'
import { output, root, SetupError } from './setup/run.mjs'
import { setup } from './setup.mjs'

// What reaches the addon most widely. Tests of files, reports and programs have nothing to add.
const TESTS = [
  'dist/test/references.test.js',
  'dist/test/sharing.test.js',
  'dist/test/values.test.js',
  'dist/test/control/*.test.js',
  'dist/test/engine/*.test.js',
  // It limits the address space, of which the sanitizer takes terabytes.
  '!dist/test/engine/short-memory.test.js',
  'dist/test/linear/*.test.js',
  'dist/test/ops/*.test.js',
  'dist/test/runtime/*.test.js',
  'dist/test/fit/*.test.js',
  'dist/test/train/*.test.js',
]

let passed = 0
let failed = 0

/**
 * ava over `tests`, its unit tests of the C++ code being those of `folder`.
 * @param {string} folder
 * @param {string[]} tests
 * @param {NodeJS.ProcessEnv} env
 */
async function run(folder, tests, env) {
  const counts = await runAva(['--timeout=20m', ...tests], {
    env: { AT_NATIVE_TESTS: join(root, folder, 'native_tests'), ...env },
  })
  passed += counts.passed
  // A process that died before it could report counts as well.
  failed += counts.failed || Number(counts.status !== 0)
}

/**
 * @param {string} folder
 * @param {string} sanitizers
 * @param {(string | undefined)[]} targets
 */
async function build(folder, sanitizers, targets) {
  const defines = ['AT_TESTS=ON', `AT_SANITIZE=${sanitizers}`]
  for (const target of targets) {
    await buildNative({ mayInstall: true }, { folder, defines, ...(target ? { target } : {}) })
  }
}

/** The sanitizer's own library must be the first that a process loads. @param {string} name */
function library(name) {
  const path = output(process.env.CXX ?? 'c++', [`-print-file-name=${name}`])?.trim()
  if (path?.startsWith('/')) return path
  throw new SetupError(`${name} was not found: the sanitizers need GCC`)
}

async function address() {
  await build('build-asan', 'address,undefined', [undefined, 'native_tests'])
  const undefinedToo = { UBSAN_OPTIONS: 'print_stacktrace=1' }
  await run('build-asan', ['dist/test/native/*.test.js'], undefinedToo)
  await run('build-asan', TESTS, {
    ...undefinedToo,
    AT_BUILD: 'build-asan',
    NODE_OPTIONS: `--require=${join(root, 'scripts/sanitize/addon.cjs')}`,
    LD_PRELOAD: library('libasan.so'),
    // Node and onnxruntime keep memory to their end.
    ASAN_OPTIONS: 'detect_leaks=0',
  })
}

async function thread() {
  await build('build-tsan', 'thread', ['native_tests'])
  const suppressions = join(root, 'scripts/sanitize/thread.supp')
  await run('build-tsan', ['dist/test/native/*.test.js'], {
    TSAN_OPTIONS: `suppressions=${suppressions}:halt_on_error=1`,
  })
}

const wanted = process.argv.slice(2)
try {
  await setup({ tests: true })
  if (wanted.length === 0 || wanted.includes('address')) await address()
  if (wanted.length === 0 || wanted.includes('thread')) await thread()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  failed++
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

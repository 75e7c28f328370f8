// A folder as a reader's would be, in which the blocks of the pages run: the examples, and files
// under the plain names that the pages use.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildMlp, type NdArray, readArray, writeNpy } from '../../../lib/index.js'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const run = promisify(execFile)

const copies: Record<string, string> = {
  'examples/training/README.md': 'examples/training/README.md',
  // One whose samples meet, one with time along the first axis, …
  'normalised.onnx': 'test/faults/sh_divB/model.onnx',
  'speech.onnx': 'test/conventions/speech.onnx',
  'rnn.onnx': 'test/conventions/time_first.onnx',
  'tts.onnx': 'test/conventions/scales.onnx',
  'frames.onnx': 'test/conventions/alone.onnx',
}

/** Networks of one architecture by their names, of two sets of weights. */
const drawn = [
  ['model.onnx', 'init.onnx', 'training/step-1.onnx'],
  ['trained.onnx', 'training/step-2.onnx'],
]

const numbers = (shape: number[]): NdArray => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, e) => Math.sin(e)),
})
const arrays: Record<string, NdArray> = {
  'rows.npy': numbers([4, 3]),
  'sound.npy': numbers([3, 6]),
  'state.npy': numbers([1, 3, 4]),
  'times.npy': numbers([5, 2, 3]),
  'frames.npy': numbers([2, 4, 3]),
  'ids.npy': { shape: [2, 3], data: BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 0n]) },
  'scales.npy': numbers([3]),
}

/** Makes the folder. @returns its path. */
export async function makeStage(): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), 'adaptive-tangent-pages-'))
  await cp(`${root}examples/fashion-mnist`, `${stage}/examples/fashion-mnist`, {
    recursive: true,
    dereference: true,
  })
  await mkdir(`${stage}/training`)
  await symlink(`${root}test`, `${stage}/test`)
  // Small, so that fits on them take a second.
  for (const [seed, names] of drawn.entries()) {
    const sizes = { inputs: [1, 28, 28], hidden: [16], outputs: 10 }
    const model = await buildMlp({ ...sizes, seed: seed + 1 })
    for (const name of names) await writeFile(`${stage}/${name}`, model)
  }
  for (const [name, from] of Object.entries(copies)) await cp(root + from, `${stage}/${name}`)
  const images = await readArray(`${stage}/examples/fashion-mnist/images.npy`)
  const labels = await readArray(`${stage}/examples/fashion-mnist/labels.npy`)
  // Every twelfth, so that all classes are there.
  arrays['x.npy'] = every(images, 12, 2)
  arrays['y.npy'] = every(labels, 12, 2)
  arrays['test.npy'] = every(images, 24, 0)
  for (const [name, array] of Object.entries(arrays)) await writeNpy(`${stage}/${name}`, array)
  await writeFile(`${stage}/commands.sh`, commands)
  return stage
}

function every({ data, shape: [n = 0, ...rest] }: NdArray, step: number, first: number): NdArray {
  const size = data.length / n
  const rows = Array.from({ length: n }, (_, row) => row).filter((row) => row % step === first)
  const values = Float32Array.from(
    rows.flatMap((row) => Array.from(data.slice(row * size, (row + 1) * size), Number)),
  )
  const whole = rest.length === 0
  return { shape: [rows.length, ...rest], data: whole ? Int32Array.from(values) : values }
}

/** The programs that pages call, from this checkout. */
const commands = `
adaptive-tangent() { '${process.execPath}' '${root}dist/lib/cli/main.js' "$@"; }
npx() { [ "$1" = adaptive-tangent ] || { echo "npx $1?" >&2; return 1; }; "$@"; }
node() {
  case $1 in dist/*) script='${root}'$1; shift; set -- "$script" "$@";; esac
  '${process.execPath}' "$@"
}
npm() {
  case "$1 $2 $3" in
    'run -s build') ;;
    'run -s cli') shift 4; adaptive-tangent "$@";;
    *) echo "npm $*?" >&2; return 1;;
  esac
}
`

/** What a block of JavaScript prints, run in the stage; it finds the package by its name. */
export async function runScript(stage: string, name: string, code: string): Promise<string> {
  const file = `${root}dist/pages/${name}.mjs`
  await mkdir(`${root}dist/pages`, { recursive: true })
  await writeFile(file, code)
  try {
    return (await run(process.execPath, [file], { cwd: stage })).stdout
  } finally {
    await rm(file)
  }
}

/** What a block of shell commands prints; any that fails ends it. */
export async function runCommands(stage: string, code: string): Promise<string> {
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', `. ./commands.sh\n${code}`], {
    cwd: stage,
  })
  return stdout
}

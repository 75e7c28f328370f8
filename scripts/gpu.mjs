// `npm run gpu:check`: packs what a bare machine with a card needs (out/gpu: archives and run.sh), and runs it
// where a card is at hand: docs/gpu.md. `-- --device emulated` runs the same steps here, on the processor in the part
// of a card; `-- --draw FILE` prints the tables of docs/gpu.md from a run's gpu.json.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawn } from './gpu/draw.mjs'
import { pack } from './gpu/pack.mjs'
import { buildForCards, CUDA_BUILD } from './setup/cuda.mjs'
import { output, root, SetupError } from './setup/run.mjs'
import { setup } from './setup.mjs'

const FOLDER = join(root, 'out/gpu')

const { values } = parseArgs({
  options: {
    device: { type: 'string' },
    draw: { type: 'string' },
    minutes: { type: 'string' },
  },
})

/** @param {string} text */
const print = (text) => process.stdout.write(`${text}\n`)

async function check() {
  await setup({ tests: true })
  await buildForCards()
  const bytes = await pack(FOLDER, CUDA_BUILD)
  print(`${FOLDER} has ${(bytes / 1e6).toFixed(1)} MB`)
  const card = output('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'])?.trim()
  const device = values.device ?? (card ? 'cuda:0' : undefined)
  if (device === undefined) {
    print(
      'There is no card here, so that nothing was run. On a machine with one: bash out/gpu/run.sh',
    )
    print('Without one the same steps run by: npm run gpu:check -- --device emulated')
    return
  }
  const words = [join(FOLDER, 'run.sh'), device, values.minutes ?? (card ? '8' : '40')]
  const { status } = spawnSync('bash', words, { stdio: 'inherit' })
  if (!device.startsWith('cuda')) print('This was a dry run: no card was used.')
  if (existsSync(join(FOLDER, 'gpu.json'))) print(`The results are in ${join(FOLDER, 'gpu.json')}`)
  process.exitCode = status ?? 1
}

try {
  if (values.draw === undefined) await check()
  else print(drawn(JSON.parse(readFileSync(values.draw, 'utf8'))))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}

// `npm run bench -- scale [PART …]`: the figures of docs/scale.md. Parts: rate, growth, workers (a minute or two each,
// of the processor), kernel (`--samples 20000 --outputs 0 --memory 2GiB --folder FOLDER`, where it stays and is gone
// on with) and images (`--samples 30000 --seconds 300`).
import { parseArgs } from 'node:util'
import { growth } from './growth.js'
import { images } from './images.js'
import { kernel } from './kernel.js'
import { rate } from './rate.js'
import { workers } from './workers.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: 'string' },
    outputs: { type: 'string' },
    memory: { type: 'string', default: '2GiB' },
    folder: { type: 'string', default: 'out/scale' },
    seconds: { type: 'string', default: '300' },
  },
})
const samplesOr = (count: number) => Number(values.samples ?? count)
const { outputs, memory, folder } = values
const parts = new Map([
  ['rate', rate],
  ['growth', growth],
  ['workers', workers],
  ['kernel', () => kernel({ samples: samplesOr(20_000), outputs, memory, folder })],
  ['images', () => images({ samples: samplesOr(30_000), seconds: Number(values.seconds) })],
])
const wanted = positionals.length > 0 ? positionals : ['rate', 'growth', 'workers']
for (const name of wanted) {
  const part = parts.get(name)
  if (!part) {
    process.stderr.write(
      `Expected parts among ${[...parts.keys()].join(', ')} but received ${name}\n`,
    )
    process.exit(2)
  }
  process.stdout.write(`### ${name}\n\n`)
  await part()
}

// The first call on one network in a process of its own, as `node first.js SIDE FOLDER NAME OUTPUTS`: prints a
// line of JSON. SIDE is `ours` or `onnxruntime`, whose first run of the file is what there is to gain on.
import { availableParallelism } from 'node:os'
import { ownSession } from './session.js'

/** Seconds of the first call, with all that is loaded and read for it, and of the least of later ones. */
export interface First {
  first: number
  later: number
}

// What users install, a few files: a checkout's first call reads two hundred.
const published = new URL('../../package/index.js', import.meta.url).href
const { Network, readArray }: typeof import('../../lib/index.js') = await import(published)

const [side = '', folder = '', name = '', chosen = ''] = process.argv.slice(2)
const threads = availableParallelism()
const file = `${folder}/${name}.onnx`
const x = await readArray(`${folder}/${name}.npy`)

const seconds = (since: number) => (performance.now() - since) / 1000

async function ours(): Promise<() => Promise<unknown>> {
  const outputs = chosen.split(',').map(Number)
  const network = await Network.load(file, { threads })
  return () => network.ntk(x, undefined, { outputs })
}

const start = performance.now()
const call = await (side === 'ours' ? ours() : ownSession(file, x, threads))
await call()
const first = seconds(start)
let later = Infinity
for (let k = 0; k < 5; k += 1) {
  const begun = performance.now()
  await call()
  later = Math.min(later, seconds(begun))
}
const result: First = { first, later }
process.stdout.write(`${JSON.stringify(result)}\n`)
process.exit()

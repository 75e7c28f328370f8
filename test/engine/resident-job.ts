// A call in a process of its own, which tells how much resident memory it took at most.
import { buildCnn, createStore, Network } from '../../lib/index.js'

export interface ResidentJob {
  call: 'array' | 'source' | 'store'
  side: number
  samples: number
  memory: number
  /** Where a store goes. */
  path: string
}

export interface Resident {
  /** Bytes before the call, and the most until its end. */
  before: number
  peak: number
}

const { call, side, samples, memory, path } = JSON.parse(process.argv[2] ?? '') as ResidentJob
const size = 3 * side * side

/** Numbers in [0, 1) that are a function of their place. */
function rowsFrom(first: number, count: number, scale = 1) {
  const data = new Float32Array(count * size)
  for (let e = 0; e < data.length; e += 1) {
    data[e] = (scale * (Math.imul(first * size + e + 1, 2654435761) >>> 0)) / 2 ** 32
  }
  return { data, shape: [count, 3, side, side] }
}

const source = {
  length: samples,
  shape: [samples, 3, side, side],
  dtype: 'float32' as const,
  rows: async (first: number, count: number) => rowsFrom(first, count),
}

// Everything that any call loads is there before.
const small = await Network.load(await buildCnn({ image: [3, 16, 16], width: 1, outputs: 1 }))
await small.ntk({ data: new Float32Array(2 * 768).fill(0.5), shape: [2, 3, 16, 16] })
await small.dispose()

const model = await buildCnn({ image: [3, side, side], width: 6, outputs: 1, seed: 1 })
const network = await Network.load(model, { threads: 1, memory })
const x = call === 'array' ? rowsFrom(0, samples) : source
const before = process.memoryUsage.rss()
if (call === 'store') {
  const store = await createStore(path, network, { kind: 'ntk', kernel: 'trace', x }, { tile: 8 })
  await store.work()
} else {
  await network.ntk(x, { kernel: 'trace' })
}
// In KiB, since the process began.
const peak = 1024 * process.resourceUsage().maxRSS
process.stdout.write(JSON.stringify({ before, peak } satisfies Resident))
await network.dispose()

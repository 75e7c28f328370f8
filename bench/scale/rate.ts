// The rate of tiles that go to a disk against that of the same tiles in memory, and of a call without tiles.
import { join } from 'node:path'
import { createStore, type NdArray, Network, type Store } from '../../lib/index.js'
import { median } from '../../lib/linear/statistics.js'
import {
  cells,
  generated,
  ownFolder,
  paperModel,
  paperShape,
  percent,
  say,
  sayLoad,
} from './setting.js'

const samples = 256
const tile = 128
const repeats = 5
const memory = '2GiB'

interface Times {
  /** Of the processor, and by the clock. */
  processor: number
  clock: number
}

async function timed(work: () => Promise<unknown>): Promise<Times> {
  const [before, clock] = [process.cpuUsage(), performance.now()]
  await work()
  const { user, system } = process.cpuUsage(before)
  return { processor: (user + system) / 1e6, clock: (performance.now() - clock) / 1000 }
}

export async function rate(): Promise<void> {
  const folder = ownFolder()
  const network = await Network.load(paperModel(folder), { threads: 1, memory })
  const x = (await generated(samples, paperShape).rows(0, samples)) as NdArray<Float32Array>
  const parts: number[] = []
  // One task, whose call is that of the tiles in memory. The store is made before: that is not the tiles' time.
  const storeFor = (name: string) => {
    const request = { kind: 'ntk', kernel: 'trace', x } as const
    return createStore(join(folder, name), network, request, { tile, group: 2 })
  }
  const toStore = async (store: Store) => {
    const { seconds, writing } = await store.work()
    parts.push(writing / seconds)
  }
  const toMemory = async ({ manifest: { block } }: Store) => {
    const kept: object[] = []
    const sink = { write: (one: object) => void kept.push(one) }
    await network.ntk(x, { kernel: 'trace', tile, sink, ...(block === null ? {} : { block }) })
  }
  const whole = () => network.ntk(x, { kernel: 'trace' })
  await whole()
  sayLoad()
  say(`Tiles of ${tile} × ${tile}, N = ${samples}, one thread; processor seconds (seconds)\n`)
  cells('on disk', 'in memory', 'one call', 'rate against memory', 'against one call', 'writing')
  cells('---:', '---:', '---:', '---:', '---:', '---:')
  const ratios: number[] = []
  for (let k = 0; k < repeats; k += 1) {
    // In turns, so that what others do meets all alike.
    const store = await storeFor(`${k}.zarr`)
    const inMemory = await timed(() => toMemory(store))
    const onDisk = await timed(() => toStore(store))
    const once = await timed(whole)
    const shown = ({ processor, clock }: Times) => `${processor.toFixed(2)} (${clock.toFixed(2)})`
    const ratio = inMemory.processor / onDisk.processor
    ratios.push(ratio)
    const part = percent(parts.at(-1) as number)
    const rates = [ratio, once.processor / onDisk.processor].map((value) => value.toFixed(3))
    cells(shown(onDisk), shown(inMemory), shown(once), ...rates, part)
  }
  say(`\nmedians: rate ${median(ratios).toFixed(3)}, writing ${percent(median(parts))}\n`)
  await network.dispose()
}

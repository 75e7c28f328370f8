// Two workers against one on the cores that are here, what sharing costs, and a simulation of more.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FolderStorage } from '../../lib/store/folder.js'
import { Leases } from '../../lib/store/leases.js'
import { openStore, type Store } from '../../lib/store/store.js'
import {
  cells,
  type Job,
  ownFolder,
  paperModel,
  paperShape,
  percent,
  runJob,
  say,
  sayLoad,
  startJob,
  type Told,
} from './setting.js'
import { type Costs, simulated } from './simulate.js'

const samples = 1600
const many = [2, 4, 8, 16, 32, 64]
const sum = (told: readonly Told[], of: (one: Told) => number) =>
  told.reduce((total, one) => total + of(one), 0)

export async function workers(): Promise<void> {
  const folder = ownFolder()
  const common = { model: paperModel(folder), shape: paperShape, memory: '300MiB', outputs: [0] }
  const job = (name: string, more: Partial<Job>): Job => {
    return { ...common, samples, tile: 64, store: join(folder, name), ...more }
  }
  sayLoad()
  const alone = await runJob(job('one.zarr', {}))
  await runJob(job('two.zarr', { plan: true }))
  const begun = performance.now()
  const two = await Promise.all([0, 1].map(() => startJob(job('two.zarr', {})).ended))
  const clock = (performance.now() - begun) / 1000
  const both = two.filter((one): one is Told => one !== undefined)
  say(`N = ${samples}, one output, ${alone.tiles} tiles of 64 in ${alone.tasks} tasks\n`)
  cells('workers', 'seconds of work', 'processor', 'tiles computed', 'writing')
  cells('---', '---:', '---:', '---:', '---:')
  const row = (count: number, told: readonly Told[]) => {
    const seconds = Math.max(...told.map((one) => one.seconds))
    const writing = sum(told, (one) => one.writing) / sum(told, (one) => one.seconds)
    const processor = `${sum(told, (one) => one.processor).toFixed(1)} s`
    const computed = told.map((one) => one.computed).join(' + ')
    cells(count, `${seconds.toFixed(1)} s`, processor, computed, percent(writing))
    return seconds
  }
  const [one, shared] = [row(1, [alone]), row(2, both)]
  const ratio = alone.processor / sum(both, ({ processor }) => processor)
  say(
    `\ntwo workers: ${(one / shared).toFixed(2)} times the speed by the clock (${clock.toFixed(1)} s with starting); ${percent(ratio)} of the rate for each processor second\n`,
  )
  const again = await runJob(job('two.zarr', { plan: true }))
  const costs: Costs = {
    tile: alone.processor / alone.tiles,
    start: clock - shared,
    look: again.looking / again.tiles,
    ...(await leaseCosts(join(folder, 'leases.zarr'))),
  }
  const milliseconds = (seconds: number) => `${(1000 * seconds).toFixed(1)} ms`
  say(
    `a tile ${milliseconds(costs.tile)}, of which writing ${milliseconds(alone.writing / alone.tiles)}; a task's lease ${milliseconds(costs.lease)}; a look at another's ${milliseconds(costs.other)}; at a tile that is there ${milliseconds(costs.look)}; to start ${costs.start.toFixed(1)} s\n`,
  )
  await more(join(folder, 'one.zarr'), job('large.zarr', { samples: 20_000 }), costs)
}

async function leaseCosts(path: string): Promise<Pick<Costs, 'lease' | 'other'>> {
  mkdirSync(path)
  const storage = new FolderStorage(path)
  const leases = new Leases(storage, 30_000)
  const rounds = 50
  const timed = async (work: () => Promise<unknown>) => {
    const begun = performance.now()
    for (let k = 0; k < rounds; k += 1) await work()
    return (performance.now() - begun) / 1000 / rounds
  }
  const lease = await timed(async () => (await leases.claim(0))?.release())
  for (let task = 1; task <= rounds; task += 1) await leases.claim(task)
  const other = (await timed(() => leases.refresh())) / rounds
  await leases.close()
  return { lease, other }
}

/** Of the kernel that was measured, and of one of 20,000 samples within 2 GiB. */
async function more(measured: string, large: Job, costs: Costs): Promise<void> {
  const { memory: _, tile: __, ...rest } = large
  const { planned = 0, tiles } = await runJob({ ...rest, memory: '2GiB', plan: true })
  cells('workers, simulated', `N = ${samples}`, 'N = 20,000, 2 GiB')
  cells('---:', '---:', '---:')
  const stores: [Store, tile: number][] = [
    [await openStore(measured), costs.tile],
    [await openStore(large.store), planned / tiles],
  ]
  for (const count of many) {
    const shown = stores.map(([{ manifest }, tile]) => {
      const own = { ...costs, tile }
      const { tasks, efficiency } = simulated(manifest.grid, manifest, count, own)
      return `${percent(efficiency)} of ${count} times (${tasks} tasks)`
    })
    cells(count, ...shown)
  }
  say('')
}

// A job far larger than this machine: planned, begun, killed, gone on with for a while; the plan tells the rest.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { formatBytes } from '../../lib/core/memory.js'
import { Network, openStore } from '../../lib/index.js'
import { imageModel, type Job, mib, ownFolder, runJob, say, sayLoad, startJob } from './setting.js'

export interface ImagesOptions {
  samples: number
  /** Processor seconds after the kill. */
  seconds: number
}

export async function images({ samples, seconds }: ImagesOptions): Promise<void> {
  const folder = ownFolder()
  const model = await imageModel(folder)
  const network = await Network.load(model)
  const parameters = network.parameters.reduce((sum, { count }) => sum + count, 0)
  await network.dispose()
  const store = join(folder, 'images.zarr')
  const common = { model, shape: [3, 512, 512], samples, store, memory: '2GiB', tile: 64 }
  sayLoad()
  const begun = performance.now()
  const plan = await runJob({ ...common, plan: true })
  const days = ((plan.planned ?? 0) / 86_400).toFixed(1)
  say(`${samples} images of 3 × 512 × 512, ${parameters} parameters; planned in ${since(begun)}:`)
  say(
    `${plan.tiles} tiles in ${plan.tasks} tasks, ${formatBytes(plan.bytes)} on disk, ${days} days of one worker\n`,
  )
  const kept = await killed(common)
  say(`begun, and killed (SIGKILL) with ${kept} tiles there\n`)
  const told = await runJob({ ...common, seconds })
  if (told.done < kept || told.done - told.computed !== kept) throw new Error('tiles were lost')
  const each = told.processor / Math.max(1, told.computed)
  say(
    `gone on from ${told.done - told.computed} tiles (found in ${told.looking.toFixed(1)} s): ${told.computed} more in ${told.processor.toFixed(0)} s of the processor, ${told.seconds.toFixed(0)} s by the clock,`,
  )
  say(
    `${each.toFixed(1)} s a tile; peak of resident memory ${mib(told.peak)}; ${told.tiles - told.done} tiles are left,`,
  )
  say(`${((each * (told.tiles - told.done)) / 86_400).toFixed(1)} days of one core`)
  sayLoad()
}

const since = (begun: number) => `${((performance.now() - begun) / 1000).toFixed(0)} s`

function filesOf(store: string): number {
  const chunks = join(store, 'c')
  if (!existsSync(chunks)) return 0
  const names = readdirSync(chunks, { recursive: true }).map(String)
  return names.filter((name) => /^\d+\/\d+$/.test(name)).length
}

/** Starts a worker, kills it when some tiles are there, and says how many. */
async function killed(job: Job): Promise<number> {
  const child = startJob(job)
  // The first tile comes after the features of its task; each is two files, the mirrored one, too.
  while (filesOf(job.store) < 4) await new Promise((resolve) => setTimeout(resolve, 200))
  process.kill(child.pid, 'SIGKILL')
  await child.ended
  return (await (await openStore(job.store)).status()).done
}

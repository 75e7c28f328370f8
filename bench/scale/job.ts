// A worker of `npm run bench -- scale`: its argument is a Job, and it tells what it did as JSON.
import { createStore, Network, type StoreRequest } from '../../lib/index.js'
import { tasksOf } from '../../lib/store/tasks.js'
import { peak } from '../memory.js'
import { generated, type Job, type Told } from './setting.js'

const job = JSON.parse(process.argv[2] ?? '') as Job
const processorSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

const network = await Network.load(job.model, { threads: 1, memory: job.memory })
const x = generated(job.samples, job.shape)
const { outputs } = job
const request: StoreRequest = { kind: 'ntk', kernel: 'trace', x, ...(outputs && { outputs }) }
const store = await createStore(job.store, network, request, { tile: job.tile })
const begun = performance.now()
const before = await store.status()
const looking = (performance.now() - begun) / 1000
const told: Told = {
  ...{ tiles: before.tiles, done: before.done, computed: 0, bytes: before.bytes },
  ...{ seconds: 0, processor: 0, writing: 0, looking, peak: 0 },
  tasks: tasksOf(store.manifest.grid, store.manifest).length,
}
if (job.plan) told.planned = (await store.estimate()).seconds
else await work()
told.peak = peak()
process.stdout.write(JSON.stringify(told))
await network.dispose()

async function work(): Promise<void> {
  const stop = new AbortController()
  const start = processorSeconds()
  const clock = performance.now()
  const most = job.seconds ?? Number.POSITIVE_INFINITY
  const watch = setInterval(() => {
    if (processorSeconds() - start > most) stop.abort()
  }, 200)
  try {
    const { computed, writing } = await store.work({ signal: stop.signal })
    Object.assign(told, { computed, writing })
  } catch (error) {
    if (!stop.signal.aborted) throw error
  }
  clearInterval(watch)
  told.seconds = (performance.now() - clock) / 1000
  told.processor = processorSeconds() - start
  told.done = (await store.status()).done
  told.computed ||= told.done - before.done
}

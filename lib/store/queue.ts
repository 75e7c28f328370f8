// A store's tasks as jobs of BullMQ on Redis. The store itself says what is done, so that nothing is lost with the
// queue: who finds it empty fills it again with what is not done.
import type { ConnectionOptions, Job, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { abortError } from '../core/abort.js'
import { mismatch, TangentError } from '../core/errors.js'
import { timed } from '../core/progress.js'
import type { Manifest } from './manifest.js'
import { pause } from './pause.js'
import type { Task } from './tasks.js'
import type { Work, WorkOptions, WorkReport } from './work.js'

/** What is told of a queue. */
export interface QueueStatus {
  /** Tasks that wait, are computed, and have failed. */
  waiting: number
  active: number
  failed: number
  workers: number
  /** Tasks completed in each of the last minutes, the last one first. */
  completed: number[]
}

/** Seconds without Redis after which a worker ends. */
const longestAway = 60
/** Times that a task is tried before its error ends the worker. */
const attempts = 3

/** A connection, and when it was lost. */
interface Connected {
  redis: Redis
  /** Without user and password, for messages. */
  name: string
  lostAt: number | undefined
}

async function libraries() {
  try {
    const [bull, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')])
    return { bull, Redis }
  } catch (cause) {
    throw new TangentError(
      'BAD_ARGUMENT',
      'Expected the packages bullmq and ioredis for --queue but they are not installed: npm install bullmq ioredis',
      { cause },
    )
  }
}

function nameOf(url: unknown): string {
  try {
    const { protocol, host, pathname } = new URL(url as string)
    if (/^rediss?:$/.test(protocol)) return `${protocol}//${host}${pathname}`
  } catch {
    // Told below, without what may hold a password.
  }
  throw mismatch('options.queue', 'an address redis://HOST:PORT', 'another')
}

/** A server that hangs up while one connects may be starting again: it is asked once more. */
async function connect(url: string): Promise<Connected> {
  const name = nameOf(url)
  try {
    return await connectOnce(url, name)
  } catch (error) {
    if (!/\b(Connection is closed|ECONNRESET|EPIPE)\b/.test((error as Error).message)) throw error
    return connectOnce(url, name)
  }
}

async function connectOnce(url: string, name: string): Promise<Connected> {
  const { Redis } = await libraries()
  let ready = false
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    // At first it must be there; later it is waited for.
    retryStrategy: (times) => (ready ? Math.min(2000, 100 * 2 ** Math.min(times, 10)) : null),
  })
  const connected: Connected = { redis, name, lostAt: undefined }
  let problem = ''
  redis.on('error', (error: Error) => {
    problem = error.message
  })
  try {
    await redis.connect()
    await redis.ping()
  } catch (cause) {
    redis.disconnect()
    const why = problem || (cause as Error).message
    throw new TangentError('FAILED', `Cannot reach Redis at ${name}: ${why}`, { cause })
  }
  ready = true
  redis.on('close', () => {
    connected.lostAt ??= performance.now()
  })
  redis.on('ready', () => {
    connected.lostAt = undefined
  })
  return connected
}

const queueName = ({ id }: Manifest) => `adaptive-tangent-${id}`
const jobOf = (task: Task) => ({
  name: 'task',
  data: { task: task.id },
  opts: { jobId: `task-${task.id}`, attempts, removeOnComplete: true },
})

/** What the queue says of a store. */
export async function queueStatus(manifest: Manifest, url: string): Promise<QueueStatus> {
  const { bull } = await libraries()
  const { redis } = await connect(url)
  const queue = new bull.Queue(queueName(manifest), { connection: connectionOf(redis) })
  queue.on('error', () => {})
  try {
    const counts = await queue.getJobCounts('wait', 'delayed', 'active', 'failed')
    const { data } = await queue.getMetrics('completed', 0, 59)
    const workers = await queue.getWorkersCount()
    const { wait = 0, delayed = 0, active = 0, failed = 0 } = counts
    return { waiting: wait + delayed, active, failed, workers, completed: data.map(Number) }
  } finally {
    await queue.close().catch(() => {})
    redis.disconnect()
  }
}

/** Its own types of the client are another version's. */
const connectionOf = (redis: Redis) => redis as unknown as ConnectionOptions

/** Works until the store is complete, with whoever else takes jobs of its queue. */
export async function workWithQueue(
  work: Work,
  manifest: Manifest,
  url: string,
  { signal, onProgress, lease = 30 }: WorkOptions,
): Promise<WorkReport> {
  const { bull } = await libraries()
  const connected = await connect(url)
  const begun = performance.now()
  const connection = connectionOf(connected.redis)
  const name = queueName(manifest)
  const queue = new bull.Queue(name, { connection })
  queue.on('error', () => {})
  const open = new Set<Task>()
  for (const task of work.tasks) if (!(await work.isDone(task, signal))) open.add(task)
  const tiles = work.tasks.reduce((sum, { places }) => sum + places.length, 0)
  const left = () => [...open].reduce((sum, { places }) => sum + places.length, 0)
  const tell = timed(onProgress, 1 - left() / tiles)
  let failure: Error | undefined
  const worker = new bull.Worker(name, (job, token) => process(job, token), {
    connection,
    autorun: false,
    lockDuration: 1000 * lease,
    stalledInterval: 1000 * Math.min(lease, 30),
    // Whoever was killed while it had a task is no fault of the task's.
    maxStalledCount: 1_000_000,
    metrics: { maxDataPoints: 60 * 24 },
  })
  worker.on('error', () => {})
  worker.on('failed', (job, error) => {
    if ((job?.attemptsMade ?? attempts) >= attempts) failure ??= error
  })
  const process = async (job: Job<{ task: number }>, token: string | undefined) => {
    const task = work.tasks[job.data.task]
    if (!task) return
    let done = 0
    try {
      await work.run(task, signal, () => {
        done += 1
        // Redis may be away.
        job.updateProgress(done / task.places.length).catch(() => {})
      })
    } catch (error) {
      if (!signal?.aborted) throw error
      await job.moveToWait(token)
      throw new bull.WaitingError()
    }
    open.delete(task)
    tell(1 - left() / tiles)
  }
  let running: Promise<void> | undefined
  try {
    if (open.size > 0) {
      await queue.clean(0, work.tasks.length, 'failed')
      await fill(queue, open)
      running = worker.run()
      running.catch(() => {})
    }
    while (open.size > 0) {
      await pause(Math.min(1, lease / 4), signal)
      if (failure) throw failure
      checkThere(connected, manifest)
      for (const task of [...open]) if (await work.isDone(task, signal)) open.delete(task)
      tell(1 - left() / tiles)
      if (open.size > 0 && connected.lostAt === undefined) await refill(queue, open)
    }
  } finally {
    await closed(worker, queue, connected, signal?.aborted ?? false)
  }
  if (signal?.aborted) throw abortError(signal)
  tell(1)
  return work.report(tiles, begun)
}

async function fill(queue: Queue, open: Iterable<Task>): Promise<void> {
  await queue.addBulk([...open].map(jobOf))
}

/** Redis may have come back without its jobs. */
async function refill(queue: Queue, open: ReadonlySet<Task>): Promise<void> {
  const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized')
  if (Object.values(counts).some((count) => count > 0)) return
  await queue.clean(0, open.size, 'failed')
  await fill(queue, open)
}

function checkThere({ lostAt, name }: Connected, { grid }: Manifest): void {
  if (lostAt === undefined || performance.now() - lostAt < 1000 * longestAway) return
  throw new TangentError(
    'FAILED',
    `Redis at ${name} has been away for ${longestAway} s; the tiles of ${grid.arrays[0]?.shape.join(' × ')} that are done stay, and the same command goes on`,
  )
}

/** @param now without waiting for the task in work. */
async function closed(
  worker: Worker,
  queue: Queue,
  { redis, lostAt }: Connected,
  now: boolean,
): Promise<void> {
  const away = lostAt !== undefined
  const end = async () => {
    await worker.close(now || away)
    await queue.close()
  }
  // Without Redis some of that never ends.
  await Promise.race([end().catch(() => {}), pause(away ? 1 : 10, undefined)])
  redis.disconnect()
}

// One job in the worker: forward runs by onnxruntime for what the addon asks next.
import { milliseconds } from '../core/clock.js'
import {
  type NativeDeviceCounts,
  type NativeJob,
  type NativeWant,
  native,
} from '../native/index.js'
import { refuseNonFinite } from './faults.js'
import { bytesRead } from './feeds.js'
import { kindOf } from './jobs/index.js'
import type { KeptFrames } from './kept.js'
import { PathWeights } from './path.js'
import type { BatchLayout, Plan } from './plan.js'
import type { ComputeMessage, ComputeResult, Feed, TileMessage, WorkerInit } from './protocol.js'
import { timeInOnnxruntime } from './session.js'
import { received } from './shared.js'
import { checkStop } from './stop.js'
import type { Weights } from './tensors.js'

/** What the worker has for a job. */
export interface JobContext {
  init: WorkerInit
  plan: Plan
  weights: Weights
  kept: KeptFrames | undefined
  /** Gives a tile to the main thread; resolves when there is room for another. */
  deliver(tile: TileMessage): Promise<void>
}

type Asked = ComputeMessage & { control: BigInt64Array }

export async function computeJob(request: Asked, context: JobContext): Promise<ComputeResult> {
  const { tiles, job } = request
  const x = received(request.x)
  if (!tiles || kindOf(job).tiles === 'native') return runJob({ ...request, x }, context)
  // Rows are computed on their own: a job for those of each tile.
  const times = { seconds: 0, forward: 0 }
  const total: ComputeResult = { methods: [], peakBytes: 0, ...times, device: null, report: [] }
  const done = new Set(tiles.finished)
  const countOf = (row: number) => Math.min(tiles.size, x.samples - row * tiles.size)
  const bytes = context.init.double ? 8 : 4
  // Every job adds its own samples to the work in all.
  const expect = (samples: number) => Atomics.add(request.control, 2, BigInt(samples))
  const rows = Array.from({ length: Math.ceil(x.samples / tiles.size) }, (_, row) => row)
  for (const row of rows) if (!done.has(row)) expect(countOf(row))
  for (const row of rows) {
    if (done.has(row)) continue
    const first = row * tiles.size
    const samples = countOf(row)
    expect(-samples)
    const results = tiles.widths.map((width) => ({
      id: native.createShared(bytes * width * samples),
      count: width * samples,
    }))
    try {
      const part = { ...request, x, results, stretch: { first, samples } }
      const { methods, peakBytes, seconds, forward, device } = await runJob(part, context)
      total.methods = methods
      total.device = countedTogether(total.device, device)
      total.peakBytes = Math.max(total.peakBytes, peakBytes)
      total.seconds += seconds
      total.forward += forward
    } catch (error) {
      for (const { id } of results) native.releaseShared(id)
      throw error
    }
    await context.deliver({ row, column: 0, blocks: results.map(({ id }) => id) })
  }
  return total
}

/** What two parts of a call asked of the device, one after the other. */
function countedTogether(
  a: NativeDeviceCounts | null,
  b: NativeDeviceCounts | null,
): NativeDeviceCounts | null {
  if (!a || !b) return a ?? b
  const { onHost, ...sum } = b
  for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += a[key]
  return {
    ...sum,
    mostBytes: Math.max(a.mostBytes, b.mostBytes),
    tf32Error: Math.max(a.tf32Error, b.tf32Error),
    onHost: [...new Set([...a.onHost, ...onHost])],
  }
}

/** Of a job for some of the samples. */
interface Part {
  stretch?: { first: number; samples: number }
}

async function runJob(
  request: Asked & Part,
  { init, plan, weights, kept, deliver }: JobContext,
): Promise<ComputeResult> {
  const { x, x2, threads, batch, stretch, tiles } = request
  const layout = await plan.layout(x, weights, threads, batch)
  const along = request.path && new PathWeights(request.path)
  const offset = stretch?.first ?? 0
  const runOf = (want: NativeWant, side: Feed) => {
    const at = { ...want, first: want.first + offset }
    return plan.frame(layout, side, at, along?.at(want.node) ?? weights, threads)
  }
  const job = start(layout, request)
  const before = timeInOnnxruntime.milliseconds
  let computing = 0
  const checkFinite = async (
    results: ComputeMessage['results'],
    report: object[],
    first: number,
    samples: number,
  ) => {
    if (request.nonFinite !== 'throw') return
    const nameOf = (id: number) => init.graph.values[id]?.name ?? ''
    await refuseNonFinite({
      request: { ...request, results },
      rows: { first, samples },
      kind: kindOf(request.job),
      layout,
      report,
      nameOf,
      frame: (want, side) =>
        plan.frame(layout, side, want, along?.at(want.node) ?? weights, threads),
    })
  }
  try {
    for (let want = job.next(); want; want = job.next()) {
      checkStop(request)
      const known = kept?.find(want)
      const run = known ?? (await runOf(want, (want.side === 0 ? x : x2) as Feed))
      const begun = milliseconds()
      try {
        job.feed(run.frame)
        computing += milliseconds() - begun
      } finally {
        if (!known && !kept?.take(want, run)) run.release()
      }
      if (!tiles || stretch) continue
      for (let tile = job.takeTile(); tile; tile = job.takeTile()) {
        checkStop(request)
        const { row, column, blocks } = tile
        const rows = Math.min(tiles.size, x.samples - row * tiles.size)
        const columns = Math.min(tiles.size, (x2 ?? x).samples - column * tiles.size)
        const results = blocks.map((id, k) => {
          return { id, count: (tiles.widths[k] as number) * rows * columns }
        })
        await checkFinite(results, [], row * tiles.size, rows)
        await deliver(tile)
      }
    }
    const { methods, peakBytes, device } = job
    const forward = (timeInOnnxruntime.milliseconds - before) / 1000
    const seconds = computing / 1000 + forward
    checkStop(request)
    const report = job.report()
    await checkFinite(request.results, report, offset, stretch?.samples ?? x.samples)
    return { methods, peakBytes, seconds, forward, device, report }
  } finally {
    job.dispose()
  }
}

function start({ engine, forward }: BatchLayout, request: Asked & Part): NativeJob {
  const { x, x2, outputs, threads, memory, block, outputBlock, job, results, control } = request
  const { tiles, stretch, device, precision } = request
  native.reserveThreads(threads)
  const run = forward(kindOf(job).keepsRuns ? 'both' : 'reverse')
  const options = {
    ...job,
    samples: stretch?.samples ?? x.samples,
    ...(x2 ? { samples2: x2.samples } : {}),
    outputs,
    threads,
    memory,
    forward: run.each + Math.max(bytesRead(x), x2 ? bytesRead(x2) : 0),
    forwardFixed: run.fixed,
    block: block ?? 0,
    outputBlock: outputBlock ?? 0,
    results: results.map(({ id }) => id),
    ...(tiles && !stretch ? { tile: tiles.size, finished: tiles.finished } : {}),
    ...(device === undefined ? {} : { device }),
    ...(precision === undefined ? {} : { precision }),
  }
  return engine.start(job.kind, kindOf(job).native, options, control)
}

// One job in the worker: forward runs by onnxruntime for what the addon asks next.
import { type NativeJob, type NativeWant, native } from '../native/index.js'
import { refuseNonFinite } from './faults.js'
import { kindOf } from './jobs/index.js'
import type { KeptFrames } from './kept.js'
import { PathWeights } from './path.js'
import type { Layout, Plan, Weights } from './plan.js'
import type { ComputeMessage, ComputeResult, Feed, WorkerInit } from './protocol.js'
import { timeInOnnxruntime } from './sessions.js'
import { received } from './shared.js'
import { checkStop } from './stop.js'

/** What the worker has for a job. */
export interface JobContext {
  init: WorkerInit
  plan: Plan
  weights: Weights
  kept: KeptFrames | undefined
}

type Asked = ComputeMessage & { control: BigInt64Array }

export async function computeJob(
  request: Asked,
  { init, plan, weights, kept }: JobContext,
): Promise<ComputeResult> {
  const { x2, threads, batch } = request
  const x = received(request.x)
  const layout = await plan.layout(x, weights, threads, batch)
  const along = request.path && new PathWeights(request.path)
  const runOf = (want: NativeWant, side: Feed) =>
    plan.frame(layout, side, want, along?.at(want.node) ?? weights, threads)
  const job = start(layout, request)
  const before = timeInOnnxruntime.milliseconds
  let computing = 0
  try {
    for (let want = job.next(); want; want = job.next()) {
      checkStop(request)
      const known = kept?.find(want)
      const run = known ?? (await runOf(want, (want.side === 0 ? x : x2) as Feed))
      const begun = performance.now()
      try {
        job.feed(run.frame)
        computing += performance.now() - begun
      } finally {
        if (!known && !kept?.take(want, run)) run.frame.release()
      }
    }
    const { methods, peakBytes } = job
    const seconds = (computing + timeInOnnxruntime.milliseconds - before) / 1000
    checkStop(request)
    const report = job.report()
    if (request.nonFinite === 'throw') {
      const kind = kindOf(request.job)
      const nameOf = (id: number) => init.graph.values[id]?.name ?? ''
      await refuseNonFinite({
        request: { ...request, x },
        kind,
        layout,
        report,
        nameOf,
        frame: runOf,
      })
    }
    return { methods, peakBytes, seconds, report }
  } finally {
    job.dispose()
  }
}

function start({ engine }: Layout, request: Asked): NativeJob {
  const { x, x2, outputs, threads, memory, block, outputBlock, job, results, control } = request
  native.reserveThreads(threads)
  const options = {
    ...job,
    samples: x.samples,
    ...(x2 ? { samples2: x2.samples } : {}),
    outputs,
    threads,
    memory,
    block: block ?? 0,
    outputBlock: outputBlock ?? 0,
    results: results.map(({ id }) => id),
  }
  return engine.start(job.kind, kindOf(job).native, options, control)
}

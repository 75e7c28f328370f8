// Results that are not finite: looked for in the worker, refused by name.

import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import { type NativeFault, type NativeFeatures, type NativeWant, native } from '../native/index.js'
import { type JobKind, nativeCommon } from './jobs/kind.js'
import type { BatchLayout, Run } from './plan.js'
import type { ComputeMessage, Feed } from './protocol.js'
import { checkStop } from './stop.js'

/** A computation that is done. */
export interface Done {
  request: ComputeMessage & { control: BigInt64Array }
  /** The samples that the results are of. */
  rows: { first: number; samples: number }
  kind: JobKind
  layout: BatchLayout
  /** What the job told in addition to its results: features. */
  report: readonly object[]
  /** Name of a value. */
  nameOf(id: number): string
  /** The forward run of a block of samples. */
  frame(want: NativeWant, side: Feed): Promise<Run>
}

/** @throws TangentError NUMERICAL unless all results are finite. */
export async function refuseNonFinite(done: Done): Promise<void> {
  const { request, report } = done
  const isFeatures = done.kind.kind === 'features'
  const made = isFeatures ? featureBlocks(done, report as readonly NativeFeatures[]) : []
  const blocks = [...request.results, ...made]
  for (const [index, { id, count }] of blocks.entries()) {
    if (done.kind.kind === 'jacobian' && (report[index] as { finite: boolean })?.finite) continue
    const at = done.layout.engine.firstNotFinite(id, count)
    if (at < 0) continue
    for (const { id: own } of made) native.releaseShared(own)
    const fault = await findFault(done)
    throw new TangentError(
      'NUMERICAL',
      `Expected finite derivatives but ${fault ?? overflow(done, index, at)}; options.nonFinite 'return' gives such numbers all the same`,
    )
  }
}

function featureBlocks(
  { request, layout }: Done,
  features: readonly NativeFeatures[],
): { id: number; count: number }[] {
  const [n, o] = [request.x.samples, request.outputs.length]
  return features.flatMap((entry, p) => {
    if ('x' in entry) {
      const shape = layout.shape(layout.analysis.parameters[p] as number, 1)
      return [{ id: entry.x, count: n * o * shapeSize(shape) }]
    }
    const { delta, positions, rows, cols } = entry
    const own = { id: delta, count: n * o * positions * rows }
    return 'h' in entry ? [own, { id: entry.h, count: n * positions * cols }] : [own]
  })
}

/** In words, the first derivative that is not finite. */
async function findFault(done: Done): Promise<string | undefined> {
  const { x, x2, path } = done.request
  for (const [side, words] of [
    [x, ''],
    [x2, ' of x2'],
  ] as const) {
    for (let node = 0; side && node < (path?.nodes.length ?? 1); node += 1) {
      const fault = await faultOf(done, side, node)
      if (!fault) continue
      const parameter = done.nameOf(done.layout.analysis.parameters[fault.parameter] as number)
      return `that of output ${fault.output} of sample ${fault.sample}${words} with respect to parameter ${JSON.stringify(parameter)} is ${fault.value}, first in node ${JSON.stringify(fault.node)} (${fault.op})`
    }
  }
  return undefined
}

async function faultOf({ request, layout, frame }: Done, side: Feed, node: number) {
  const { outputs, threads, memory, control, block = 0 } = request
  const options = { samples: side.samples, outputs, threads, memory, block }
  const job = layout.engine.start('fault', nativeCommon, options, control)
  try {
    for (let want = job.next(); want; want = job.next()) {
      checkStop({ control })
      const run = await frame({ ...want, node }, side)
      try {
        job.feed(run.frame)
      } finally {
        run.release()
      }
    }
    return job.report()[0] as NativeFault | undefined
  } finally {
    job.dispose()
  }
}

/** Every derivative is finite: what was made of them is not. */
function overflow(
  { request, rows, kind, layout, nameOf }: Done,
  result: number,
  entry: number,
): string {
  const { job, outputs } = request
  const place = kind.place(job as never, {
    result,
    entry,
    ...rows,
    count: request.results[result]?.count ?? 1,
    parameter: JSON.stringify(nameOf(layout.analysis.parameters[result] ?? -1)),
    row: (width) => {
      const at = Math.floor(entry / width)
      return `output ${outputs[at % outputs.length]} of sample ${rows.first + Math.floor(at / outputs.length)}`
    },
  })
  return `${place} exceeds float32, which the derivatives themselves do not`
}

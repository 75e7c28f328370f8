// What a job is, whatever process runs it: one digest of its parts.
import { shapeSize } from '../core/shape.js'
import { identify, NumbersInOrder } from '../io/identify.js'
import { networkDigests } from '../model/digests.js'
import type { Feed, FeedArray } from '../runtime/protocol.js'
import type { Planned } from './derive.js'

/** Everything that decides a job's numbers but the number of threads and the memory budget. */
export async function digestOfJob({
  prepared,
  job,
  x2,
  path,
  results,
}: Pick<Planned, 'prepared' | 'job' | 'x2' | 'path' | 'results'>): Promise<string> {
  const { core, outputs, nonFinite, options } = prepared
  const { architecture } = core
  return identify({
    ...(await networkDigests(core)),
    output: architecture.output,
    parameters: architecture.active.map(({ parameter }) => parameter.name),
    float64: architecture.double,
    // Absent where it always was, so that digests of before hold.
    ...(prepared.precision === 'tf32' ? { precision: 'tf32' } : {}),
    whole: architecture.whole,
    x: await digestOfFeed(prepared.x),
    x2: x2 && (await digestOfFeed(x2)),
    outputs,
    nonFinite,
    block: options.block,
    outputBlock: options.outputBlock,
    job,
    path,
    results: results.map(({ name, shape }) => ({ name, shape: [...shape] })),
  })
}

export function digestOfFeed({ samples, arrays, shared = [] }: Feed): Promise<string> {
  const numbers = (all: Feed['arrays']) =>
    all.map((array) => {
      const { name, type, shape, axis } = array
      return { name, type, shape, data: numbersOf(array), axis }
    })
  return identify({ samples, arrays: numbers(arrays), shared: numbers(shared) })
}

/** Bytes of rows that are read at a time. */
const blockBytes = 1 << 24

/** The numbers, read in order where they are not here. */
export function numbersOf({ data, shape, read }: Pick<FeedArray, 'data' | 'shape' | 'read'>) {
  if (!read) return data
  const [rows = 1, ...rest] = shape
  const bytes = data.BYTES_PER_ELEMENT * shapeSize(rest)
  const most = Math.max(1, Math.floor(blockBytes / Math.max(1, bytes)))
  const blocks = async function* () {
    for (let first = 0; first < rows; first += most) {
      yield await read(first, Math.min(most, rows - first))
    }
  }
  return new NumbersInOrder(data.constructor.name, rows * bytes, blocks)
}

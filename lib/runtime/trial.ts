// Inputs that a file's names and sizes leave in doubt: which reading of them does it run under?
import { stack } from './feeds.js'
import { axisOfBlock } from './fixed.js'
import { outputOfPairs } from './independence.js'
import type { Feed, Request, TryResult } from './protocol.js'
import type { Sessions } from './sessions.js'
import type { Weights } from './tensors.js'

/**
 * The first reading under which the output grows along one axis and the samples of a batch do not
 * meet (or one in blocks of the size that the file fixes), then one whose samples meet, then one that
 * runs sample by sample.
 */
export async function tryReadings(
  sessions: Sessions,
  { readings, output, threads }: Request & { type: 'try' },
  weights: Weights,
): Promise<TryResult> {
  let meeting: TryResult | undefined
  const single = async (x: Feed): Promise<boolean> => {
    const session = await sessions.get(`run ${output}`, threads, { values: [output], shapes: [] })
    return session.run(stack(x, [0]), 0, 1, weights.tensors).then(
      () => true,
      () => false,
    )
  }
  const blockAxis = (x: Feed, size: number) =>
    axisOfBlock(sessions, output, x, size, weights, threads).then(
      ({ axis }) => axis,
      () => undefined,
    )
  for (const [found, { x, batch }] of readings.entries()) {
    if (batch === 1) {
      if (await single(x)) return { found, axis: null, apart: true }
      continue
    }
    const pairs = await outputOfPairs(sessions, output, x, weights, threads).catch(() => undefined)
    if (!pairs || pairs.axis < 0) {
      const axis = batch > 1 ? await blockAxis(x, batch) : undefined
      if (axis !== undefined) return { found, axis, apart: true, block: batch }
      continue
    }
    const { axis, meet } = pairs
    if (!meet) return { found, axis, apart: true }
    meeting ??= { found, axis, apart: false }
  }
  if (meeting) return meeting
  for (const [found, { x, batch }] of readings.entries()) {
    if (batch !== 1 && (await single(x))) return { found, axis: null, apart: false }
  }
  return { found: -1, axis: null, apart: false }
}

// Predictions of samples that are read, computed and written block by block.
import { type InputSources, sampleBlocks } from '../fit/rows.js'
import type { NdArray } from '../io/index.js'
import type { CallOptions } from '../model/core.js'
import type { Network } from '../network/network.js'
import { type ArrayPlace, saveRows } from './results.js'

/**
 * @param count how many will come, where they come in blocks
 * @returns their shape: (N, O), or (N) of one output where that is wanted (`flat`).
 */
export async function savePredictions(
  place: ArrayPlace,
  blocks: AsyncGenerator<NdArray>,
  { count, flat, signal }: { count: number | null; flat: boolean; signal: AbortSignal },
): Promise<number[]> {
  const { value: first, done } = await blocks.next()
  if (done) throw new Error('There are no predictions')
  const [all = 0, ...rest] = first.shape
  const own = flat ? [] : rest
  const shape = [count ?? all, ...own]
  const rows = async function* () {
    yield { ...first, shape: [first.shape[0] as number, ...own] }
    for await (const block of blocks) {
      yield { ...block, shape: [block.shape[0] as number, ...own] }
    }
  }
  await saveRows(place, { dtype: 'float64', shape }, rows(), signal)
  return shape
}

/** Runs the network on samples to see that it takes them. */
export async function tryRun(
  network: Network,
  x: InputSources,
  options: CallOptions,
): Promise<void> {
  for await (const { inputs } of sampleBlocks(network, x, options)) {
    await network.run(inputs, options)
  }
}

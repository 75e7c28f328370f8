// Time and memory over more than a decade of N: one output of the paper's CNN within 300 MiB.
import { join } from 'node:path'
import { cells, mib, ownFolder, paperModel, paperShape, runJob, say, sayLoad } from './setting.js'

/** Whole kernels, and the beginning of larger ones. */
const whole = [300, 950, 3000]
const begun = [20_000]
const seconds = 25

export async function growth(): Promise<void> {
  const folder = ownFolder()
  const common = { model: paperModel(folder), shape: paperShape, memory: '300MiB', outputs: [0] }
  sayLoad()
  say('One output, tiles of 64, one thread, a budget of 300 MiB\n')
  cells('N', 'tiles computed', 'of', 'processor', 'for each pair', 'peak of resident memory')
  cells('---:', '---:', '---:', '---:', '---:', '---:')
  const times: [samples: number, processor: number][] = []
  for (const samples of [...whole, ...begun]) {
    const store = join(folder, `${samples}.zarr`)
    const limited = begun.includes(samples) ? { seconds } : {}
    const told = await runJob({ ...common, ...limited, samples, store, tile: 64 })
    const pairs = (samples * (samples + 1) * told.computed) / (2 * told.tiles)
    const each = `${((1e6 * told.processor) / pairs).toFixed(1)} µs`
    const processor = `${told.processor.toFixed(1)} s`
    cells(samples, told.computed, told.tiles, processor, each, mib(told.peak))
    if (told.done === told.tiles) times.push([samples, told.processor])
  }
  const [first, last] = [times[0], times.at(-1)]
  if (!first || !last) return
  const exponent = Math.log(last[1] / first[1]) / Math.log(last[0] / first[0])
  say(`\ntime grows with N to the power of ${exponent.toFixed(2)} from ${first[0]} to ${last[0]}\n`)
}

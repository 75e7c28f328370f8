// What a factor of the whole kernel takes.
import { roomBeside } from '../core/memory.js'

/** Bytes for a row of the kernel: itself in single, its factor and an inverse in double. */
const rowBytes = 4 + 8 + 8

/**
 * @param advice what else makes room
 * @throws TangentError MEMORY_BUDGET that says what would fit.
 */
export function checkMemory(
  samples: number,
  outputs: number,
  budget: number,
  advice = 'fewer outputs (options.outputs) or a larger budget make room',
): void {
  const rows = samples * outputs
  const fits = () => {
    const most = Math.floor(Math.sqrt(budget / rowBytes) / outputs)
    const fewer = most > 1 ? `${most} samples would fit; ` : ''
    return `${fewer}${advice}`
  }
  roomBeside(rowBytes * rows * rows, budget, `A factor of ${rows} rows of the kernel`, fits)
}

/**
 * The same of sketches of `size` numbers of N samples: themselves twice, and what is factored.
 * @throws TangentError MEMORY_BUDGET that says what would fit.
 */
export function checkSketches(samples: number, size: number, budget: number): void {
  const rows = Math.min(samples, size)
  const bytes = rowBytes * rows * rows + 16 * samples * size
  const what = `Sketches of ${size} numbers of ${samples} samples and a factor of ${rows} rows`
  const advice = () =>
    'shorter sketches (options.sketch.size), fewer samples or a larger budget make room'
  roomBeside(bytes, budget, what, advice)
}

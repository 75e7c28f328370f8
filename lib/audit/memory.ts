// What a factor of the whole kernel takes.
import { roomBeside } from '../core/memory.js'

/** Bytes for a row of the kernel: itself in single, its factor and an inverse in double. */
const rowBytes = 4 + 8 + 8

/** @throws TangentError MEMORY_BUDGET that says what would fit. */
export function checkMemory(samples: number, outputs: number, budget: number): void {
  const rows = samples * outputs
  const fits = () => {
    const most = Math.floor(Math.sqrt(budget / rowBytes) / outputs)
    const fewer = most > 1 ? `${most} samples would fit; ` : ''
    return `${fewer}fewer outputs (options.outputs) or a larger budget make room`
  }
  roomBeside(rowBytes * rows * rows, budget, `A factor of ${rows} rows of the kernel`, fits)
}

// A whole kernel of many samples by the command line, its memory watched: `ntk … --store`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NdArray, writeNpy } from '../../lib/index.js'
import { generated, mib, paperModel, paperShape, peakOf, percent, say, sayLoad } from './setting.js'

export interface KernelOptions {
  samples: number
  /** As of `--outputs`; undefined: all ten. */
  outputs: string | undefined
  memory: string
  folder: string
}

/** Makes network and samples, or takes those that are there; a store that is there is gone on with. */
export async function kernel({ samples, outputs, memory, folder }: KernelOptions): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const x = join(folder, `x${samples}.npy`)
  const model = paperModel(folder)
  if (!existsSync(x)) {
    await writeNpy(x, (await generated(samples, paperShape).rows(0, samples)) as NdArray)
  }
  const store = join(folder, `K${samples}-${outputs ?? 'all'}.zarr`)
  const how = [
    '--kernel',
    'trace',
    '--threads',
    '1',
    '--memory',
    memory,
    '--store',
    store,
    '--json',
  ]
  const words = ['ntk', model, '--input', x, ...(outputs ? ['--outputs', outputs] : []), ...how]
  say(`adaptive-tangent ${words.join(' ')}\n`)
  sayLoad()
  const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  let [text, peak] = ['', 0]
  child.stdout.on('data', (part) => {
    text += part
  })
  const watch = setInterval(() => {
    try {
      peak = peakOf(child.pid as number)
    } catch {
      // It has ended.
    }
  }, 1000)
  const [code] = await once(child, 'close')
  clearInterval(watch)
  if (code !== 0) throw new Error(`ntk ended with ${code}`)
  const { tiles, computed, seconds, writing, shape, bytes } = JSON.parse(text)
  say(
    `(${shape.join(', ')}), ${mib(bytes)}: ${computed} of ${tiles} tiles in ${seconds.toFixed(0)} s,`,
  )
  say(`${percent(writing / seconds)} of it writing; peak of resident memory ${mib(peak)}`)
  sayLoad()
}

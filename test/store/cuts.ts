// `npm run test:store`: the power goes again and again while a store is filled (`--cuts N`, default 100).
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createStore, Network, type StoreRequest } from '../../lib/index.js'
import { mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { chunks } from './folders.js'
import { cutAndGoOn } from './power-cuts.js'

const { values } = parseArgs({
  options: { cuts: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } },
})
const cuts = Number(values.cuts)
const random = new Random(Number(values.seed))
/** Calls of the file system that filling the store takes. */
const most = 200

const network = await Network.load(mlp(random, [5, 7, 3]), { threads: 1, memory: '100MB' })
const request: StoreRequest = { kind: 'ntk', kernel: 'trace', x: samples(random, [15, 5]) }
const folder = await mkdtemp(join(tmpdir(), 'cuts-'))
try {
  const whole = join(folder, 'K.zarr')
  await (await createStore(whole, network, request, { tile: 4, group: 2 })).work()
  const truth = await chunks(whole)
  let [found, tiles] = [0, 0]
  for (let k = 0; k < cuts; k += 1) {
    const [path, to] = [join(folder, `${k}.zarr`), join(folder, `${k}-after.zarr`)]
    const calls = Math.floor(most * random.uniform())
    const cut = await cutAndGoOn(network, request, { path, to, calls, random })
    const same =
      cut.chunks.size === truth.size &&
      [...truth].every(([name, bytes]) => cut.chunks.get(name)?.equals(bytes))
    if (!same || cut.found + cut.computed !== cut.tiles) {
      throw new Error(`after ${calls} calls: other bits, or tiles computed twice`)
    }
    found += cut.found
    tiles += cut.tiles
  }
  process.stdout.write(
    `${cuts} power cuts: every store whole with the same bits; ${found} of ${tiles} tiles were found again\n`,
  )
} finally {
  await network.dispose()
  await rm(folder, { recursive: true, force: true })
}

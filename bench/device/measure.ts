// One workload on a device, timed: `node measure.js WORKLOAD DEVICE SAMPLES FOLDER`; `node measure.js --list
// DEVICE` names the workloads for it. On a card these are the whole ones; on the emulated device a few samples
// of the small ones, so that the same steps run. FOLDER gets the network and its samples, for the peers.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Network, readNpy } from '../../lib/index.js'
import { cheapestWork } from '../flops.js'
import { prepare } from '../peers/prepare.js'
import { workOn } from './work.js'
import { workloads } from './workloads.js'

const SECONDS = 8
const REPEATS = 5
/** Of the dry run: workload and samples. */
const DRY = new Map([
  ['mlp-gram', 20],
  ['cnn', 4],
  ['cnn-trace', 6],
  ['train', 100],
])

const [name, device = 'emulated', samples = '1', folder = '.'] = process.argv.slice(2)
const isCard = device.startsWith('cuda')

async function timed(run: () => Promise<unknown>) {
  const used = process.cpuUsage()
  const start = performance.now()
  await run()
  const { user, system } = process.cpuUsage(used)
  return { seconds: (performance.now() - start) / 1000, processor: (user + system) / 1e6 }
}

async function measure() {
  const found = workloads.find((each) => each.name === name)
  if (!found) throw new Error(`no workload ${name}`)
  const workload = { ...found, samples: Number(samples) }
  const { call } = workload
  const title = found.title.replace(/N = [\d,]+/, `N = ${samples}`)
  const { outputs, layers } = await prepare(workload, folder)
  const spec = { workload: name, call, threads: availableParallelism(), seconds: SECONDS }
  writeFileSync(join(folder, 'spec.json'), JSON.stringify({ ...spec, repeats: REPEATS }))
  const x = await readNpy(join(folder, 'x.npy'))
  await using network = await Network.load(join(folder, 'model.onnx'))
  const memory = isCard ? 64 * 2 ** 30 : 2 ** 30
  const { run } = await workOn(network, workload, x, { device, outputs, memory })
  const first = await timed(run)
  const times = []
  let counts = null
  const repeated = async () => {
    counts = (await run()).device
  }
  while (times.length < REPEATS && times.reduce((sum, { seconds }) => sum + seconds, 0) < SECONDS)
    times.push(await timed(repeated))
  const work = call === 'ntk' ? cheapestWork(layers, workload.samples, outputs) : undefined
  return {
    ...{ name, title, samples: workload.samples, outputs, first, times, counts },
    cheapest: work ? work.passes + work.contraction : null,
  }
}

const list = () =>
  workloads
    .filter((each) => isCard || DRY.has(each.name))
    .map((each) => ({
      name: each.name,
      samples: isCard ? each.samples : DRY.get(each.name),
      peer: each.call === 'ntk' || each.call === 'trace',
    }))

const result = name === '--list' ? list() : await measure()
process.stdout.write(`${JSON.stringify(result)}\n`)

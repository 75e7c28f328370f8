// One network in a process of its own, as `node ours.js FOLDER NAME OUTPUTS SECONDS`: prints a line of JSON.
import { availableParallelism } from 'node:os'
import { native } from '../../lib/native/index.js'
import { peak, resetPeak } from '../memory.js'
import { ownSession } from './session.js'

/** Seconds, of one call each. */
export interface Ours {
  kernel: number
  /** Of the forward run here, and of onnxruntime's own with its default options. */
  run: number
  session: number
  /** Of the forward run of a kernel, whose values the rules read. */
  tapped: number
  numbers: number[]
  /** GFLOP/s of a product of 1024³ on the same threads, just before. */
  gemm: number
  /** Bytes that the kernels added at the worst moment. */
  memory: number
}

// What users install, a few files: a checkout's first call reads two hundred.
const published = new URL('../../package/index.js', import.meta.url).href
const { Network, readArray }: typeof import('../../lib/index.js') = await import(published)

const [folder = '', name = '', chosen = '', seconds = '5'] = process.argv.slice(2)
const limit = Number(seconds)
const outputs = chosen.split(',').map(Number)
const threads = availableParallelism()

/** The least of as many calls as fit into the time, of three at least. */
async function least(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  const begun = performance.now()
  while (times.length < 3 || (performance.now() - begun < 1000 * limit && times.length < 1000)) {
    const start = performance.now()
    await call()
    times.push((performance.now() - start) / 1000)
  }
  return Math.min(...times)
}

const x = await readArray(`${folder}/${name}.npy`)
const network = await Network.load(`${folder}/${name}.onnx`, { threads })
const { data } = await network.ntk(x, undefined, { outputs })
const { gemm } = native.machine(1024, threads)
const before = resetPeak()
const kernel = await least(() => network.ntk(x, undefined, { outputs }))
const memory = peak() - before
const run = await least(() => network.run(x))
await network.dispose()

const own = await least(await ownSession(`${folder}/${name}.onnx`, x, threads))
// Of these modules, which tell more than the package does.
const [{ Network: Inner }, { cores }, { planKernels }, { execute }] = await Promise.all([
  import('../../lib/network/network.js'),
  import('../../lib/model/core.js'),
  import('../../lib/kernels/ntk.js'),
  import('../../lib/derivatives/derive.js'),
])
const inner = await Inner.load(`${folder}/${name}.onnx`, { threads })
const core = cores.get(inner)
if (!core) throw new Error('Expected a network that is not disposed')
const planned = await planKernels(core, x, undefined, { outputs })
const forward: number[] = []
await least(async () => forward.push((await execute(planned)).result.forward))
const tapped = Math.min(...forward)
await inner.dispose()
const times = { kernel, run, session: own, tapped }
const result: Ours = { ...times, numbers: [...data], gemm, memory }
process.stdout.write(`${JSON.stringify(result)}\n`)

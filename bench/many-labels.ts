// `npm run bench -- many-labels [--labels n] [--samples n] [--memory 4GiB] [--part last|own|all]`: a ViT-Tiny (224 × 224
// in patches of 16, width 192, 12 blocks) with thousands of labels: the last layer's Laplace posteriors and k(x, x)
// of all labels within a memory budget. Each part tells its seconds and the process's peak as it ends.
import { parseArgs } from 'node:util'
import { LaplacePosterior, lastLayer, Network, selfKernel } from '../lib/index.js'
import { manyGaussians } from '../lib/linear/random.js'
import { peak, resetPeak } from './memory.js'
import { vit } from './peers/networks.js'

const { values } = parseArgs({
  options: {
    labels: { type: 'string', default: '3100' },
    samples: { type: 'string', default: '4' },
    memory: { type: 'string', default: '4GiB' },
    part: { type: 'string', default: 'all' },
  },
})
const labels = Number(values.labels)
const samples = Number(values.samples)
const { memory, part } = values

const { bytes, layers } = vit(224, 16, 192, 12, labels)
const side = 3 * 224 * 224
const images = async (count: number) => ({
  data: Float32Array.from(await manyGaussians(count * side, 1)),
  shape: [count, 3, 224, 224],
})
const say = (text: string) => process.stdout.write(`${text}\n`)
const gib = (count: number) => (count / 2 ** 30).toFixed(2)

async function timed<T>(name: string, each: number, work: () => Promise<T>): Promise<T> {
  resetPeak()
  const [begun, cpu] = [performance.now(), process.cpuUsage()]
  const found = await work()
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const used = (user + system) / 1e6
  say(
    `${name}: ${(seconds / each).toFixed(2)} s a sample (${(used / each).toFixed(2)} of a processor), peak ${gib(peak())} GiB`,
  )
  return found
}

say(`ViT-Tiny, ${layers.length} weights, ${labels} labels, budget ${memory}`)
const whole = await Network.load(bytes, { memory })
say(`${whole.parameters.reduce((sum, { count }) => sum + count, 0)} parameters`)

if (part !== 'own') {
  const last = await Network.load(bytes, { memory, parameters: lastLayer(whole) })
  const x = await images(samples)
  const y = {
    data: Int32Array.from({ length: samples }, (_, i) => (i * 769) % labels),
    shape: [samples],
  }
  await timed('last layer, k(x, x)', samples, () => selfKernel(last, x))
  for (const structure of ['diagonal', 'kron'] as const) {
    const posterior = await timed(`last layer, ${structure} posterior`, samples, () =>
      LaplacePosterior.of(last, x, y, { structure }),
    )
    await timed(`last layer, ${structure}, variances of all labels`, samples, () =>
      posterior.predict(x, { covariance: 'diagonal' }),
    )
  }
  await last.dispose()
}
if (part !== 'last') {
  const x = await images(1)
  let told = performance.now()
  const onProgress = ({ fraction }: { fraction: number }) => {
    if (performance.now() - told < 60_000) return
    told = performance.now()
    say(`  ${(100 * fraction).toFixed(1)} %, peak ${gib(peak())} GiB`)
  }
  const { data, shape } = await timed('all parameters, k(x, x)', 1, () =>
    selfKernel(whole, x, { onProgress }),
  )
  say(`k(x, x) of shape (${shape.join(', ')}), from ${Math.min(...data)} to ${Math.max(...data)}`)
}
await whole.dispose()

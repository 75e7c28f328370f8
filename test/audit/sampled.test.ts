// Posterior variance from draws, against the exact one.
import test from 'ava'
import {
  buildMlp,
  KernelPosterior,
  type NdArray,
  Network,
  sampledVariance,
  selfKernel,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const inputs = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(3 * count, seed)),
  shape: [count, 3],
})

test('draws by conjugate gradients have the exact variance, up to the error that is told', async (t) => {
  const network = await Network.load(
    await buildMlp({ inputs: 3, hidden: [5], outputs: 2, seed: 1 }),
  )
  const [x, query] = [inputs(6, 1), inputs(4, 2)]
  const ridge = 0.3
  const exact = await KernelPosterior.of(await network.ntk(x), new Float64Array(12).fill(1), {
    ridge,
  })
  const own = await selfKernel(network, query)
  const truth = await exact.variance(await network.ntk(query, x), own.data)
  const draws = 200
  const found = await sampledVariance(network, x, query, { ridge, draws, tolerance: 1e-4 })
  t.true(found.residual <= 1e-4 && found.iterations > 1)
  t.deepEqual(found.variance.shape, [4, 2])
  const apart = found.variance.data.map(
    (value, e) => (value - Number(truth.data[e])) / Number(truth.data[e]),
  )
  // Eight variances of 200 draws each: standard errors of 0.1.
  const rms = Math.sqrt(apart.reduce((sum, value) => sum + value * value, 0) / apart.length)
  t.true(rms < 2 * Math.sqrt(2 / draws), `${rms}`)
  near(
    t,
    found.error.data,
    found.variance.data.map((value) => value * Math.sqrt(2 / draws)),
    1e-12,
  )
  const one = await sampledVariance(network, x, query, { ridge, draws: 4, outputs: [1] })
  t.deepEqual(one.variance.shape, [4, 1])
  const again = await sampledVariance(network, x, query, { ridge, draws: 4, outputs: [1] })
  near(t, again.variance, one.variance, 1e-6)
  await network.dispose()
})

test('mistakes are named', async (t) => {
  const network = await Network.load(
    await buildMlp({ inputs: 3, hidden: [5], outputs: 2, seed: 1 }),
  )
  const x = inputs(3, 1)
  for (const [options, message] of [
    [{ ridge: 0 }, /ridge/],
    [{ ridge: 1, draws: 1 }, /draws/],
    [{ ridge: 1, tolerance: 2 }, /tolerance/],
  ] as const) {
    await t.throwsAsync(sampledVariance(network, x, x, options), { code: 'BAD_ARGUMENT', message })
  }
  await network.dispose()
})

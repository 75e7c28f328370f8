// Products in TF32 on request, and the error that comes with the result: on the emulated device, which rounds
// their factors as a card does.
import test from 'ava'
import { buildMlp, Network, type ProductPrecision } from '../../lib/index.js'
import { testDevice } from '../support/device.js'
import { near } from '../support/near.js'
import { reference } from '../support/reference.js'

const device = testDevice
const precision = 'tf32'

const errorOf = (found: ArrayLike<number>, truth: ArrayLike<number>) => {
  let off = 0
  let norm = 0
  for (let e = 0; e < truth.length; e++) {
    off += ((found[e] as number) - (truth[e] as number)) ** 2
    norm += (truth[e] as number) ** 2
  }
  return Math.sqrt(off / norm)
}

test('kernels in TF32 are off by what their products are, and say so', async (t) => {
  const truth = await reference('mlp_trained')
  const network = await Network.load(truth.model, { device, precision })
  t.teardown(() => network.dispose())
  const kernel = await network.ntk(truth.input)
  const { error, sampled } = kernel.tf32 ?? { error: 0, sampled: 0 }
  t.true(sampled > 0)
  // Factors are rounded by up to 2^-11 each.
  t.true(error > 1e-5 && error < 2e-3, String(error))
  const off = errorOf(kernel.data, truth.ntk.data as Float64Array)
  t.true(off > error / 20 && off < 20 * error, `${off}, measured ${error}`)
  const exact = await network.ntk(truth.input, { precision: 'float32' })
  near(t, exact, truth.ntk, 1e-4, 'in float32')
  t.is(exact.tf32, undefined)
})

test('results that leave in tiles come with the error, and are no results in float32', async (t) => {
  const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }), {
    device,
  })
  t.teardown(() => network.dispose())
  const x = { data: Float32Array.from({ length: 12 }, (_, e) => Math.cos(e)), shape: [6, 2] }
  const digests: string[] = []
  const sink = {
    open: ({ digest }: { digest: string }) => void digests.push(digest),
    write: () => {},
  }
  const exact = await network.ntk(x, { sink, tile: 3 })
  t.is(exact.tf32, undefined)
  const rounded = await network.ntk(x, { sink, tile: 3, precision })
  t.true((rounded.tf32?.sampled ?? 0) > 0)
  t.is(new Set(digests).size, 2)
})

test('other networks made of one keep its device and precision', async (t) => {
  const { model, input } = await reference('mlp_trained')
  const network = await Network.load(model, { device, precision })
  const other = await network.withParameters(model)
  const double = await network.inDouble()
  t.teardown(() => Promise.all([network, other, double].map((each) => each.dispose())))
  t.is(other.device.name, device)
  t.is(double.device.name, device)
  t.true(((await other.ntk(input)).tf32?.sampled ?? 0) > 0)
  t.is((await double.ntk(input)).tf32, undefined)
})

test('TF32 is refused where nothing could be rounded so', async (t) => {
  const model = await buildMlp({ inputs: 2, hidden: [4], outputs: 1 })
  const refused = (message: RegExp) => ({ code: 'BAD_ARGUMENT', message })
  await t.throwsAsync(
    Network.load(model, { precision }),
    refused(/^Expected float32 on the processor, which has no TF32 for options\.precision/),
  )
  await t.throwsAsync(
    Network.load(model, { device, precision, float64: true }),
    refused(/^Expected float32 of a network in float64 for options\.precision/),
  )
  const unknown = 'bf16' as ProductPrecision
  await t.throwsAsync(Network.load(model, { device, precision: unknown }), refused(/float32/))
  // Where auto finds no card the processor computes, in float32.
  const network = await Network.load(model, { device: 'auto', precision })
  t.teardown(() => network.dispose())
  const kernel = await network.ntk({ data: Float32Array.of(1, 0), shape: [1, 2] })
  if (network.device.name === 'cpu') t.is(kernel.tf32, undefined)
  else t.true((kernel.tf32?.sampled ?? 0) > 0)
})

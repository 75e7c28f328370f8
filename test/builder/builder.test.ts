// Built networks: they open, compute what they should, and have the kernel that theory gives.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  buildCnn,
  buildMlp,
  initialize,
  Network,
  type ValueInfo,
  writeOnnx,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

test('an MLP of any shape opens and computes W x + b with ReLU between', async (t) => {
  for (const bias of [true, false]) {
    const network = await load(
      t,
      await buildMlp({
        inputs: [1, 2, 3],
        hidden: [5, 4],
        outputs: 2,
        bias,
        biases: 'uniform',
        seed: 3,
      }),
    )
    t.deepEqual(
      network.parameters.map(({ name, shape }) => `${name} ${shape.join('x')}`),
      [1, 2, 3].flatMap((k) => {
        const [from, to] = [
          [6, 5],
          [5, 4],
          [4, 2],
        ][k - 1] as [number, number]
        return [`dense${k}.weight ${to}x${from}`, ...(bias ? [`dense${k}.bias ${to}`] : [])]
      }),
    )
    const x = samples(new Random(1), [7, 1, 2, 3])
    const { data: found, shape } = await network.run(x)
    t.deepEqual(shape, [7, 2])
    const expected = Array.from({ length: 7 }, (_, i) => {
      let h = Array.from(x.data.slice(6 * i, 6 * i + 6))
      for (const k of [1, 2, 3]) {
        const {
          data: w,
          shape: [out = 0, from = 0],
        } = network.weight(`dense${k}.weight`)
        const b = bias ? network.weight(`dense${k}.bias`).data : new Float32Array(out)
        h = Array.from({ length: out }, (_, o) =>
          h.reduce((sum, value, j) => sum + value * w[o * from + j]!, b[o] as number),
        )
        if (k < 3) h = h.map((value) => Math.max(value, 0))
      }
      return h
    }).flat()
    near(t, found as Float32Array, expected, 1e-5)
  }
})

test('the three ways to a kernel agree on built networks, both parameterisations', async (t) => {
  for (const parameterization of ['standard', 'ntk'] as const) {
    for (const model of [
      await buildMlp({ inputs: 6, hidden: [8, 8], outputs: 3, parameterization }),
      await buildCnn({
        image: [2, 16, 20],
        width: 2,
        outputs: 3,
        parameterization,
        biases: 'normal',
      }),
    ]) {
      const network = await load(t, model)
      const [, ...shape] = (network.inputs[0] as ValueInfo).shape as number[]
      const x = samples(new Random(2), [5, ...shape])
      const reference = await network.ntk(x, { method: 'jacobian' })
      t.true(reference.trace() > 0)
      for (const method of ['structured', 'mixed'] as const) {
        near(t, await network.ntk(x, { method }), reference, 1e-4, method)
      }
    }
  }
})

test('NTK factors in the graph are the standard network with scaled weights', async (t) => {
  const image = [3, 17, 16] as [number, number, number]
  const options = { image, width: 2, outputs: 4, seed: 5 }
  const scaled = await load(
    t,
    await buildCnn({ ...options, parameterization: 'ntk', weightScale: 1.3, biasScale: 0.7 }),
  )
  const plain = await load(t, await buildCnn(options))
  const weights = new Map(
    scaled.parameters.map(({ name, shape }) => {
      const fanIn = shape.slice(1).reduce((product, size) => product * size, 1)
      const factor = shape.length > 1 ? 1.3 / Math.sqrt(fanIn) : 0.7
      return [name, scaled.weight(name).data.map((value) => factor * value)]
    }),
  )
  const same = await plain.withParameters(weights)
  t.teardown(() => same.dispose())
  const x = samples(new Random(3), [3, ...image])
  const [a, b] = [await scaled.run(x), await same.run(x)]
  near(t, a, b, 1e-5)
})

/** NTK of a ReLU network without biases, σ_w² = 2 (Cho & Saul 2009; Jacot et al. 2018). */
function arcCosine(x: readonly Float32Array[], depth: number): number[] {
  return x.flatMap((u) =>
    x.map((v) => {
      const inner = (a: Float32Array, b: Float32Array) =>
        a.reduce((sum, value, j) => sum + value * b[j]!, 0) * (2 / a.length)
      // With σ_w² = 2 a layer keeps the size of its input.
      const size = Math.sqrt(inner(u, u) * inner(v, v))
      let sigma = inner(u, v)
      let theta = sigma
      for (let layer = 0; layer < depth; layer += 1) {
        const angle = Math.acos(Math.min(1, sigma / size))
        const slope = (Math.PI - angle) / Math.PI
        sigma = (size / Math.PI) * (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle))
        theta = sigma + theta * slope
      }
      return theta
    }),
  )
}

test('with growing width the kernel goes to the arc-cosine kernel', async (t) => {
  const random = new Random(4)
  const [count, inputs] = [6, 10]
  const x = samples(random, [count, inputs])
  const rows = Array.from({ length: count }, (_, i) => x.data.slice(i * inputs, (i + 1) * inputs))
  const limit = arcCosine(rows, 2)
  const errors: number[] = []
  for (const width of [64, 256, 1024]) {
    let error = 0
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const hidden = [width, width]
      const build = {
        inputs,
        hidden,
        outputs: 1,
        bias: false,
        parameterization: 'ntk' as const,
        seed,
      }
      await using network = await Network.load(await buildMlp(build))
      const { data } = await network.ntk(x)
      error += data.reduce((sum, value, e) => sum + (value - limit[e]!) ** 2, 0)
    }
    errors.push(Math.sqrt(error / 8 / limit.reduce((sum, value) => sum + value ** 2, 0)))
  }
  const [narrow = 0, middle = 0, wide = 0] = errors
  // Deviations fall as 1/√width: by half for four times the width.
  t.true(middle < 0.75 * narrow && wide < 0.75 * middle && wide < 0.1, errors.join(' '))
})

test('a built network and one initialised from the same seed have the same weights', async (t) => {
  const image = [1, 16, 16] as [number, number, number]
  const options = {
    image,
    width: 3,
    outputs: 2,
    seed: 8,
    scheme: 'lecun',
    truncated: true,
  } as const
  const network = await load(t, await buildCnn(options))
  const weights = await initialize(network, options)
  t.is(weights.size, network.parameters.length)
  for (const [name, { data }] of weights) t.deepEqual(data, network.weight(name).data, name)
})

test('a model is written as a file, and bad sizes are refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'builder-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'mlp.onnx')
  await writeOnnx(path, await buildMlp({ inputs: 3, hidden: [], outputs: 1 }))
  const network = await load(t, path)
  t.deepEqual(
    network.parameters.map(({ shape }) => [...shape]),
    [[1, 3], [1]],
  )
  const mlp = { inputs: 3, hidden: [4], outputs: 1 }
  const refused: [() => Promise<unknown>, RegExp][] = [
    [
      () => buildMlp({ ...mlp, hidden: [0] }),
      /whole numbers ≥ 1 for options\.hidden but received 0/,
    ],
    [() => buildMlp({ ...mlp, outputs: 1.5 }), /options\.outputs/],
    [() => buildMlp({ ...mlp, weightScale: 2 }), /no value without ntk for options\.weightScale/],
    [() => buildMlp({ ...mlp, scheme: 'kaiming' as 'he' }), /one of he, lecun/],
    [() => buildMlp({ ...mlp, seed: -1 }), /options\.seed/],
    [() => buildMlp({ ...mlp, hidden: [40_000, 40_000] }), /2 GiB but they take 5\.96 GiB/],
    [() => buildCnn({ image: [1, 8, 8], width: 1, outputs: 1 }), /height ≥ 16/],
  ]
  for (const [call, message] of refused)
    await t.throwsAsync(call, { name: 'TangentError', message })
})

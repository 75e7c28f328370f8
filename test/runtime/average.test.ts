// Kernels of features averaged along a path of weights.
import test from 'ava'
import { averageFeatures, averageKernel, type NdArray, type Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { fixture } from '../support/reference.js'

/** Every weight moved by some noise. */
async function moved(
  t: { teardown(fn: () => Promise<void>): void },
  network: Network,
  random: Random,
  size: number,
): Promise<Network> {
  const values = new Map<string, NdArray>()
  for (const { name, shape } of network.parameters) {
    const data = network.weight(name).data.map((w) => w + size * random.normal())
    values.set(name, { data, shape: [...shape] })
  }
  const other = await network.withParameters(values)
  t.teardown(() => other.dispose())
  return other
}

async function between(network0: Network, network1: Network, at: number): Promise<Network> {
  const values = new Map<string, NdArray>()
  for (const { name, shape } of network0.parameters) {
    const to = network1.weight(name).data
    const data = network0.weight(name).data.map((w, e) => (1 - at) * w + at * (to[e] as number))
    values.set(name, { data, shape: [...shape] })
  }
  return network0.withParameters(values)
}

/** F̄F̄ᵀ, of some parameters, from Jacobians that were formed and averaged in double. */
async function byJacobians(
  network0: Network,
  network1: Network,
  x: NdArray,
  points: number,
  names?: readonly string[],
) {
  const sums = new Map<string, Float64Array>()
  let rows = 0
  for (let k = 0; k < points; k += 1) {
    const network = await between(network0, network1, (k + 0.5) / points)
    for (const [name, { data, shape }] of await network.jacobian(x)) {
      rows = (shape[0] as number) * (shape[1] as number)
      if (names && !names.includes(name)) continue
      const sum = sums.get(name) ?? new Float64Array(data.length)
      for (let e = 0; e < sum.length; e += 1)
        sum[e] = (sum[e] as number) + (data[e] as number) / points
      sums.set(name, sum)
    }
    await network.dispose()
  }
  const data = new Float64Array(rows * rows)
  for (const sum of sums.values()) {
    const size = sum.length / rows
    for (let a = 0; a < rows; a += 1) {
      for (let b = 0; b < rows; b += 1) {
        let inner = 0
        for (let e = 0; e < size; e += 1) {
          inner += (sum[a * size + e] as number) * (sum[b * size + e] as number)
        }
        data[a * rows + b] = (data[a * rows + b] as number) + inner
      }
    }
  }
  return data
}

test('the averaged kernel is that of averaged Jacobians, whatever the method and the blocks', async (t) => {
  const random = new Random(1)
  const network0 = await load(t, mlp(random, [5, 8, 6, 2]))
  const network1 = await moved(t, network0, random, 0.3)
  const x = samples(random, [7, 5])
  const data = await byJacobians(network0, network1, x, 6)
  const truth = { data, shape: [7, 2, 7, 2] }
  for (const options of [
    {},
    { method: 'jacobian' as const },
    { method: 'structured' as const },
    { method: 'mixed' as const },
    { block: 2 },
    { by: 'layer' as const },
    { by: 'parameter' as const },
  ]) {
    const { kernel, parts, residual } = await averageKernel(network0, network1, x, {
      points: 6,
      ...options,
    })
    near(t, kernel, truth, 1e-5, JSON.stringify(options))
    for (const [part, { data: own }] of parts ?? []) {
      const names = network0.parameters.flatMap(({ name, layer }) =>
        name === part || layer === part ? [name] : [],
      )
      const alone = { data: await byJacobians(network0, network1, x, 6, names), shape: truth.shape }
      near(t, { data: own, shape: truth.shape }, alone, 1e-5, part)
    }
    t.is(parts?.size, options.by === 'layer' ? 3 : options.by === 'parameter' ? 6 : undefined)
    t.true(residual.relative < 0.2)
  }
})

test('convolutions, too', async (t) => {
  const random = new Random(2)
  const network0 = await load(t, fixture('cnn', 'model.onnx'))
  const network1 = await moved(t, network0, random, 0.05)
  const [input] = network0.inputs
  const x = samples(random, [3, ...((input?.shape ?? []).slice(1) as number[])])
  const data = await byJacobians(network0, network1, x, 3)
  const { kernel } = await averageKernel(network0, network1, x, { points: 3 })
  near(t, kernel, { data, shape: kernel.shape }, 1e-5)
})

function smooth(random: Random): Uint8Array {
  const weights = (shape: number[]) => floats(shape, random.normals(shape[0]! * (shape[1] ?? 1)))
  return model({
    nodes: [
      { op: 'Gemm', inputs: ['x', 'w0', 'b0'], outputs: ['h'], attributes: { transB: 1 } },
      { op: 'Tanh', inputs: ['h'], outputs: ['a'] },
      { op: 'Gemm', inputs: ['a', 'w1', 'b1'], outputs: ['y'], attributes: { transB: 1 } },
    ],
    initializers: {
      w0: weights([9, 4]),
      b0: weights([9]),
      w1: weights([2, 9]),
      b1: weights([2]),
    },
    inputs: [{ name: 'x', shape: ['N', 4] }],
    outputs: [{ name: 'y', shape: ['N', 2] }],
  })
}

test('the identity’s residual falls at the rule’s order on a smooth network', async (t) => {
  const random = new Random(3)
  const network0 = await load(t, smooth(random))
  const network1 = await moved(t, network0, random, 0.8)
  const x = samples(random, [10, 4])
  const residual = async (points: number, rule: 'uniform' | 'gauss-legendre') =>
    (await averageKernel(network0, network1, x, { points, rule })).residual.relative
  const [few, more] = [await residual(8, 'uniform'), await residual(16, 'uniform')]
  // Midpoints: order 2.
  t.true(few / more > 3.3 && few / more < 4.8, `${few} ${more}`)
  t.true((await residual(10, 'gauss-legendre')) < 1e-5)
  t.true((await residual(4, 'gauss-legendre')) < 2 * few)
})

test('a path of several pieces adds up its changes', async (t) => {
  const random = new Random(4)
  const network0 = await load(t, smooth(random))
  const network1 = await moved(t, network0, random, 0.4)
  const network2 = await moved(t, network1, random, 0.4)
  const x = samples(random, [6, 4])
  const whole = await averageKernel([network0, network1, network2], undefined, x, {
    points: 8,
    rule: 'gauss-legendre',
  })
  t.true(whole.residual.relative < 1e-5)
  // A stop half-way on the same line changes nothing.
  const half = await between(network0, network1, 0.5)
  t.teardown(() => half.dispose())
  const options = { points: 8, rule: 'gauss-legendre' as const }
  const line = await averageKernel(network0, network1, x, options)
  const stopped = await averageKernel([network0, half, network1], undefined, x, options)
  near(t, stopped.kernel, line.kernel, 1e-5)
})

test('networks that do not belong together are refused', async (t) => {
  const random = new Random(5)
  const [a, b] = [await load(t, mlp(random, [3, 2])), await load(t, mlp(random, [3, 2]))]
  const x = samples(random, [2, 3])
  await t.throwsAsync(averageKernel(a, b, x), { message: /share an architecture/ })
  await t.throwsAsync(averageKernel(a, undefined, x), { message: /two networks/ })
  await t.throwsAsync(averageKernel(a, a, x, { points: 0 }), { message: /points/ })
  const { residual } = await averageKernel(a, a, x, { points: 2 })
  t.is(residual.relative, 0)
})

test('averaged features are averaged Jacobians, and their kernel is the averaged kernel', async (t) => {
  const random = new Random(6)
  const network0 = await load(t, mlp(random, [4, 6, 2]))
  const network1 = await moved(t, network0, random, 0.3)
  const network2 = await moved(t, network1, random, 0.3)
  const x = samples(random, [7, 4])
  for (const path of [
    [network0, network1],
    [network0, network1, network2],
  ]) {
    const points = 5
    const sums = new Map<string, Float64Array>()
    for (let s = 0; s + 1 < path.length; s += 1) {
      for (let k = 0; k < points; k += 1) {
        const [a, b] = [path[s] as Network, path[s + 1] as Network]
        const node = await between(a, b, (k + 0.5) / points)
        for (const [name, { data }] of await node.jacobian(x)) {
          const sum = sums.get(name) ?? new Float64Array(data.length)
          sums.set(name, sum)
          data.forEach((value, e) => {
            sum[e] = (sum[e] as number) + value / points / (path.length - 1)
          })
        }
        await node.dispose()
      }
    }
    const { kernel, residual } = await averageKernel(path, undefined, x, { points })
    for (const options of [{}, { block: 2 }, { block: 1, threads: 1 }]) {
      const found = await averageFeatures(path, undefined, x, { points, ...options })
      for (const [name, { data, shape }] of found.features) {
        const truth = { data: sums.get(name) as Float64Array, shape }
        near(t, { data, shape }, truth, 1e-6, name)
      }
      near(t, found.residual.relative, residual.relative, { absolute: 1e-5 })
      const gram = new Float64Array(14 * 14)
      for (const { data } of found.features.values()) {
        const size = data.length / 14
        for (let a = 0; a < 14; a += 1) {
          for (let b = 0; b < 14; b += 1) {
            for (let e = 0; e < size; e += 1) {
              gram[a * 14 + b] =
                (gram[a * 14 + b] as number) +
                (data[a * size + e] as number) * (data[b * size + e] as number)
            }
          }
        }
      }
      near(t, { data: gram, shape: kernel.shape }, kernel, 1e-5)
    }
  }
  const picked = await averageFeatures(network0, network1, x, { points: 3, outputs: [1] })
  t.deepEqual(picked.features.get('l.0.weight')?.shape, [7, 1, 6, 4])
  await t.throwsAsync(averageFeatures(network0, network1, x, { points: 0 }), { message: /points/ })
  await t.throwsAsync(averageFeatures(network0, network1, x, { memory: 2000 }), {
    code: 'MEMORY_BUDGET',
  })
})

test('one and two Gauss–Legendre nodes have the orders two and four', async (t) => {
  const random = new Random(7)
  const network0 = await load(t, smooth(random))
  const x = samples(random, [12, 4])
  const step = new Map(network0.parameters.map(({ name, count }) => [name, random.normals(count)]))
  const residual = async (size: number, points: number) => {
    const values = new Map<string, NdArray>()
    for (const { name, shape } of network0.parameters) {
      const own = step.get(name) as Float32Array
      const data = network0.weight(name).data.map((w, e) => w + size * (own[e] as number))
      values.set(name, { data, shape: [...shape] })
    }
    const network1 = await network0.withParameters(values)
    const { relative } = (
      await averageKernel(network0, network1, x, { points, rule: 'gauss-legendre' })
    ).residual
    await network1.dispose()
    return relative
  }
  for (const [points, order] of [
    [1, 2],
    [2, 4],
  ] as const) {
    const [large, small] = [await residual(0.3, points), await residual(0.15, points)]
    const found = Math.log2(large / small)
    near(t, found, order, 0.35, `${points} nodes`)
  }
})

// Calls that have code for devices on the emulated one, against float64 references and identities; little memory,
// aborts, several networks and threads.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { execute } from '../../lib/derivatives/derive.js'
import { planJacobian } from '../../lib/derivatives/jacobian.js'
import {
  averageKernel,
  type Floats,
  MemorySink,
  type NdArray,
  type Network,
  type SketchKind,
  sketch,
} from '../../lib/index.js'
import { cores } from '../../lib/model/core.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { projected } from '../support/projection.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const device = 'emulated'

/** Σ over all parameters of ⟨a, b⟩, in double. */
function inner(a: ReadonlyMap<string, NdArray>, b: ReadonlyMap<string, NdArray>): number {
  let sum = 0
  for (const [name, { data }] of a) {
    const other = (b.get(name) as NdArray).data
    data.forEach((value, e) => {
      sum += Number(value) * Number(other[e])
    })
  }
  return sum
}

const dot = (a: NdArray, b: NdArray) => inner(new Map([['', a]]), new Map([['', b]]))

/** A direction of every parameter. */
function directionOf(network: Network, random: Random): Map<string, NdArray<Float32Array>> {
  return new Map(
    network.parameters
      .filter(({ frozen }) => !frozen)
      .map(({ name, shape }) => [name, samples(random, [...shape])]),
  )
}

// Dense layers, windows, windows in groups, rows picked by number and attention, batch normalisation.
for (const name of ['mlp_trained', 'cnn', 'mobilenet', 'text', 'resnet8_bn']) {
  test(`${name}: Jacobians, features and products are those of the references`, async (t) => {
    const truth = await reference(name)
    const network = await load(t, truth.model, { device })
    const { input, oracle } = truth
    const [n, o] = [oracle.samples, oracle.outputs]
    const random = new Random(7)
    for (const way of [{}, { block: 2, outputBlock: 3 }]) {
      const jacobian = await network.jacobian(input, way)
      for (const [parameter, value] of jacobian) {
        // Of weights that the exporter did not rename, and transpose.
        const expected = await truth.jacobian(parameter)
        if (expected) near(t, value, expected, 1e-4, `${parameter} ${JSON.stringify(way)}`)
      }
      const v = samples(random, [n, o, 2])
      const product = await network.ntkProduct(input, v, way)
      near(t, product, times(truth.ntk, v, n * o), 1e-4, `K·v ${JSON.stringify(way)}`)
      // ⟨u, J·Δ⟩ = ⟨Jᵀu, Δ⟩, and JᵀJ·Δ is Jᵀ of J·Δ.
      const u = samples(random, [n, o])
      const direction = directionOf(network, random)
      const slopes = await network.jvp(input, direction, way)
      const pulled = await network.vjp(input, u, way)
      const bound = Math.sqrt(dot(u, u) * dot(slopes, slopes))
      near(t, inner(pulled, direction), dot(u, slopes), { absolute: 1e-4 * bound })
      const normal = await network.normalProduct(input, direction, way)
      for (const [key, value] of await network.vjp(input, slopes, way))
        near(t, normal.get(key), value, 1e-4, `JᵀJ·Δ ${key}`)
    }
    const jacobian = await network.jacobian(input)
    await sameFeatures(t, network, input, jacobian)
  })
}

/** K v of a kernel (N, O, N, O), in double. */
function times(kernel: NdArray, { data, shape }: NdArray, side: number): NdArray<Float64Array> {
  const columns = shape[2] as number
  const found = new Float64Array(side * columns)
  for (let a = 0; a < side; a += 1)
    for (let b = 0; b < side; b += 1)
      for (let c = 0; c < columns; c += 1) {
        const value = Number(kernel.data[a * side + b]) * Number(data[b * columns + c])
        found[a * columns + c] = (found[a * columns + c] as number) + value
      }
  return { data: found, shape: [...shape] }
}

/** Features in the forms that they have on the processor, whose squares add up to the Jacobian's. */
async function sameFeatures(
  t: ExecutionContext,
  network: Network,
  x: NdArray,
  jacobian: ReadonlyMap<string, NdArray>,
): Promise<void> {
  const there = await network.features(x, { block: 3 })
  const here = await network.features(x, { device: 'cpu' })
  for (const [name, entry] of here) {
    const own = there.get(name)
    t.is(own?.kind, entry.kind, name)
    if (entry.kind === 'dense' && own?.kind === 'dense') {
      near(t, own.x, jacobian.get(name) as NdArray, 1e-5, name)
      continue
    }
    if (entry.kind === 'dense' || !own || own.kind === 'dense') continue
    near(t, own.delta, entry.delta, 1e-5, `δ of ${name}`)
    if (entry.kind === 'factors' && own.kind === 'factors') near(t, own.h, entry.h, 1e-5, name)
    if (entry.kind === 'rows' && own.kind === 'rows')
      t.deepEqual(own.columns.data, entry.columns.data)
  }
}

for (const name of ['mlp_trained', 'cnn', 'mobilenet', 'text']) {
  test(`${name}: sketches are the Jacobian's projections`, async (t) => {
    const { model, input } = await reference(name)
    const network = await load(t, model, { device })
    const size0 = input.shape[0] as number
    const x = {
      data: input.data.slice(0, (input.data.length / size0) * 2),
      shape: [2, ...input.shape.slice(1)],
    }
    const jacobian = await network.jacobian(x, { outputs: [0, 1], device: 'cpu' })
    for (const kind of ['combined', 'sparse', 'factored', 'mask'] as SketchKind[]) {
      for (const [by, size, block] of [
        ['total', 300, 0],
        ['parameter', 32, 1],
      ] as const) {
        const made = await sketch(network, x, { kind, by, size, block, outputs: [0, 1], check: 0 })
        const truth = projected(jacobian, made.map)
        made.map.parts.forEach((part, g) => {
          const found = made.parts.get(part) as NdArray
          const expected = { data: truth[g] as Float64Array, shape: found.shape }
          near(t, found, expected, 2e-5, `${kind} ${part}`)
        })
      }
    }
  })
}

test('kernels of groups, averages along a path and spectra', async (t) => {
  const truth = await reference('cnn')
  const network = await load(t, truth.model, { device })
  const [n, o] = [truth.oracle.samples, truth.oracle.outputs]
  const size = n % 2 === 0 ? 2 : 3
  for (const way of [{}, { block: size }, { outputBlock: 3 }]) {
    const groups = await network.ntkGroups(truth.input, size, { ...way, kernel: 'full' })
    const side = size * o
    const found = Array.from({ length: n / size }, (_, g) =>
      Array.from(groups.data.subarray(g * side * side, (g + 1) * side * side)),
    ).flat()
    const expected = Array.from({ length: n / size }, (_, g) =>
      Array.from({ length: side * side }, (__, e) => {
        const [a, b] = [g * side + Math.floor(e / side), g * side + (e % side)]
        return Number(truth.ntk.data[a * n * o + b])
      }),
    ).flat()
    near(t, found, expected, 1e-4, `groups ${JSON.stringify(way)}`)
  }
  const operator = await network.kernelOperator(truth.input)
  const v = samples(new Random(3), [n * o])
  const expected = times(truth.ntk, { ...v, shape: [n, o, 1] }, n * o).data
  near(t, await operator.product(Float64Array.from(v.data)), expected, 1e-4, 'K·v')
})

test('averages along a path are those of averaged Jacobians', async (t) => {
  for (const name of ['cnn', 'text']) {
    const { model, input } = await reference(name)
    const from = await load(t, model, { device })
    const random = new Random(5)
    const to = await from.withParameters(
      new Map(
        from.parameters.map(({ name: key, shape }) => {
          const data = from.weight(key).data.map((w) => Number(w) + 0.05 * random.normal())
          return [key, { data: Float32Array.from(data), shape: [...shape] }]
        }),
      ),
    )
    t.teardown(() => to.dispose())
    const options = { points: 3, outputs: [0, 1] }
    const truth = await averageKernel(from, to, input, { ...options, device: 'cpu' })
    for (const way of [{}, { block: 2 }, { outputBlock: 1 }]) {
      const found = await averageKernel(from, to, input, { ...options, ...way })
      near(t, found.kernel, truth.kernel, 1e-4, `${name} ${JSON.stringify(way)}`)
      near(t, found.residual.explained, truth.residual.explained, 1e-4, `F̄Δθ of ${name}`)
    }
  }
})

test('rows that leave in tiles are those in memory, and bytes are counted for each call', async (t) => {
  const network = await load(t, mlp(new Random(2), [6, 20, 3]), { device })
  const x = samples(new Random(3), [11, 6])
  const whole = await network.jacobian(x, { device: 'cpu' })
  const sink = new MemorySink()
  await network.jacobian(x, { sink, tile: 4 })
  for (const [name, array] of whole) near(t, sink.arrays.get(name), array, 1e-5, name)

  const core = cores.get(network) as NonNullable<ReturnType<typeof cores.get>>
  const bytes = async (block: number) => {
    const planned = await planJacobian(core, x, { block })
    const { device: counts } = (await execute(planned)).result
    return counts as NonNullable<typeof counts>
  }
  const [one, many] = [await bytes(0), await bytes(2)]
  const numbers = [...whole.values()].reduce((sum, { data }) => sum + data.length, 0)
  t.is(one.bytesDown, 4 * numbers)
  t.is(many.bytesDown, one.bytesDown)
  // Weights go up once for all blocks; every sample's values, once. Seeds come with each block.
  t.is(many.bytesUp, one.bytesUp)
  t.true(many.launches + many.products > one.launches + one.products)
})

test('little memory means smaller blocks, then one sentence; the next call works', async (t) => {
  const network = await load(t, mlp(new Random(4), [4, 64, 2]), { device })
  const x = samples(new Random(5), [60, 4])
  const u = samples(new Random(6), [60, 2])
  const direction = directionOf(network, new Random(8))
  const calls = {
    jacobian: (memory?: string) => network.jacobian(x, { memory }),
    vjp: (memory?: string) => network.vjp(x, u, { memory }),
    jvp: async (memory?: string) => new Map([['', await network.jvp(x, direction, { memory })]]),
    product: async (memory?: string) => new Map([['', await network.ntkProduct(x, u, { memory })]]),
    sketch: async (memory?: string) =>
      (await sketch(network, x, { memory, size: 50, check: 0 })).parts,
    groups: async (memory?: string) =>
      new Map([['', await network.ntkGroups(x, 6, { memory, kernel: 'trace' })]]),
  }
  for (const [name, call] of Object.entries(calls)) {
    const whole = await call()
    const results = 4 * [...whole.values()].reduce((sum, { data }) => sum + data.length, 0)
    const little = await call(`${results + 120_000}B`)
    for (const [key, array] of whole) near(t, little.get(key), array as NdArray, 1e-5, name)
    const error = await t.throwsAsync(call(`${results + 900}B`), { code: 'MEMORY_BUDGET' }, name)
    t.false(error?.message.includes('\n'))
    const again = await call()
    for (const [key, array] of whole) near(t, again.get(key), array as NdArray, 1e-6, name)
  }
})

test('an abort leaves the device clean', async (t) => {
  const network = await load(t, mlp(new Random(4), [4, 32, 2]), { device })
  const x = samples(new Random(5), [40, 4])
  const truth = await network.jacobian(x, { device: 'cpu' })
  const control = new AbortController()
  // The first blocks are computed; then somebody aborts, and nothing more comes.
  const source = {
    ...{ length: 40, shape: [40, 4], dtype: 'float32' as const },
    rows: (first: number, count: number) => {
      if (first + count > 10) {
        control.abort()
        return new Promise<NdArray>(() => {})
      }
      const data = x.data.slice(4 * first, 4 * (first + count))
      return Promise.resolve({ data, shape: [count, 4] })
    },
  }
  const stopped = network.jacobian(source, { block: 1, signal: control.signal })
  await t.throwsAsync(stopped, { name: 'AbortError', any: true })
  for (const [name, array] of await network.jacobian(x))
    near(t, array, truth.get(name) as NdArray, 1e-5, name)
})

test('several networks and threads share a device', async (t) => {
  const x = samples(new Random(5), [9, 4])
  const networks = await Promise.all(
    [1, 2, 3].map((seed) => load(t, mlp(new Random(seed), [4, 16, 2]), { device })),
  )
  const all = await Promise.all(networks.map((network) => network.jacobian(x, { block: 2 })))
  for (const [k, network] of networks.entries())
    for (const [name, array] of await network.jacobian(x, { device: 'cpu' }))
      near(t, all[k]?.get(name), array, 1e-5, name)
  // A thread of the caller's own.
  const library = new URL('../../lib/index.js', import.meta.url).href
  const bytes = mlp(new Random(1), [4, 16, 2])
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.library).then(async ({ Network }) => {
      const network = await Network.load(workerData.bytes, { device: 'emulated' })
      const kernel = await network.ntkProduct(workerData.x, workerData.v)
      await network.dispose()
      parentPort.postMessage(kernel)
    })`,
    { eval: true, workerData: { library, bytes, x, v: samples(new Random(2), [9, 2]) } },
  )
  const own = (networks[0] as Network).ntkProduct(x, samples(new Random(2), [9, 2]))
  const [message] = (await once(worker, 'message')) as [NdArray<Floats>]
  near(t, message, await own, 1e-6, 'in a thread')
  await worker.terminate()
})

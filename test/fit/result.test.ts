// Everything that a fitted model of a network holds and can do, against the Jacobian written out.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import ort from 'onnxruntime-node'
import type { BlockSolution } from '../../lib/fit/model.js'
import {
  buildCnn,
  fitAdaptive,
  loadModel,
  type NdArray,
  Network,
  type NetworkFitOptions,
  type NetworkModel,
  penaltyOf,
  saveModel,
} from '../../lib/index.js'
import { farthest, near } from '../support/near.js'
import { gaussians } from '../support/random.js'

const outputs = 3
const image = [2, 16, 16] as const
const samplesOf = (count: number, seed: number): NdArray<Float32Array> => ({
  data: Float32Array.from(gaussians(count * 512, seed)),
  shape: [count, ...image],
})
const x = samplesOf(14, 80)
const x2 = samplesOf(5, 81)
const y: NdArray = { data: gaussians(14 * outputs, 82).map((v) => 2 * v), shape: [14, outputs] }
const load = async () =>
  Network.load(await buildCnn({ image, width: 2, outputs, dense: [9], seed: 5 }))

const sum = (values: Iterable<number>) => Array.from(values).reduce((a, b) => a + b, 0)
/** Features of every block, (rows, m·k) with the bias as the last column, from the Jacobian. */
async function features(network: Network, fitted: NetworkModel, at: NdArray) {
  const jacobian = await network.jacobian(at)
  const rows = (at.shape[0] as number) * outputs
  return fitted.layout.map(({ m, k, weight, bias, transposed }) => {
    const all = new Float64Array(rows * m * k)
    const width = bias ? k - 1 : k
    const w = jacobian.get(weight)?.data as Float32Array
    const b = bias && (jacobian.get(bias.name)?.data as Float32Array)
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < width; j++) {
          const place = transposed ? j * m + i : i * width + j
          all[(r * m + i) * k + j] = w[r * m * width + place] as number
        }
        if (b) all[(r * m + i) * k + width] = b[r * m + i] as number
      }
    }
    return { rows, size: m * k, all }
  })
}

/** M applied to one block's numbers, mode by mode from z and vectors; `power` −1 undoes it. */
function transformed(block: BlockSolution, values: Float64Array, power = 1): Float64Array {
  if (block.numbers.length > 0) {
    return values.map((value, i) => value * (block.numbers[i] as number) ** power)
  }
  let now = values.slice()
  let outer = 1
  for (const { z, vectors, dim } of block.transforms) {
    const inner = now.length / outer / dim
    const next = now.slice()
    z.forEach((stretch, s) => {
      for (let o = 0; o < outer; o++) {
        for (let q = 0; q < inner; q++) {
          let part = 0
          for (let d = 0; d < dim; d++) {
            part += (vectors[s * dim + d] as number) * (now[(o * dim + d) * inner + q] as number)
          }
          for (let d = 0; d < dim; d++) {
            const place = (o * dim + d) * inner + q
            const share = (stretch ** power - 1) * part * (vectors[s * dim + d] as number)
            next[place] = (next[place] as number) + share
          }
        }
      }
    })
    now = next
    outer *= dim
  }
  return now
}

const cases: [string, NetworkFitOptions][] = [
  ['by layer', { ridge: 0.3 }],
  ['one side', { ridge: 0.3, left: 'none', right: 1 }],
  ['by parameter', { ridge: 0.3, blocks: 'parameter' }],
  ['three modes', { ridge: 0.3, structure: 'modes' }],
  ['diagonal', { ridge: 0.3, structure: 'diagonal' }],
  ['flat', { ridge: 0.3, structure: 'flat' }],
  [
    'a structure for every layer, a function as penalty',
    {
      ridge: 0.3,
      left: (z) => (z - 1) ** 2 + Math.log(z) ** 2,
      right: 'none',
      perBlock: { conv2: { structure: 'fixed' }, dense1: { structure: 'flat', power: 1 } },
    },
  ],
]

for (const [name, options] of cases) {
  test(`${name}: B, M, kernels and predictions agree with the Jacobian`, async (t) => {
    await using network = await load()
    const fitted = await fitAdaptive(network, x, y, { ...options, price: 0.2 })
    const { model } = fitted
    t.true(['converged', 'stalled'].includes(model.status.name))
    const [train, other] = [await features(network, fitted, x), await features(network, fitted, x2)]
    const base = Float64Array.from((await network.run(x2)).data as Float32Array)

    // Predictions: f + ⟨X, B⟩, by forward mode, by features, and by the kernel K_M(x2, X) α.
    const [rows, rows2] = [14 * outputs, 5 * outputs]
    const byHand = base.slice()
    const kernel = new Float64Array(rows2 * rows)
    model.blocks.forEach((block, b) => {
      const own = other[b] as (typeof other)[number]
      const tall = train[b] as (typeof train)[number]
      const at = (from: typeof own, r: number) =>
        from.all.subarray(r * own.size, (r + 1) * own.size)
      const stretched = Array.from({ length: rows }, (_, s) => transformed(block, at(tall, s)))
      for (let r = 0; r < rows2; r++) {
        const features = at(own, r)
        byHand[r] = (byHand[r] as number) + sum(features.map((v, i) => v * (block.b[i] as number)))
        const mine = transformed(block, features)
        stretched.forEach((theirs, s) => {
          const product = sum(mine.map((v, i) => v * (theirs[i] as number)))
          kernel[r * rows + s] = (kernel[r * rows + s] as number) + product
        })
      }
    })
    const predicted = await fitted.predict(network, x2)
    t.deepEqual(predicted.shape, [5, outputs])
    near(t, predicted.data, byHand, { absolute: 1e-4 })
    const between = await fitted.kernel(network, x2, x)
    t.deepEqual(between.shape, [5, outputs, 14, outputs])
    const top = Math.max(...kernel.map(Math.abs))
    near(t, between.data, kernel, { absolute: 1e-4 * top })
    const dual = base.map((value, r) => {
      return value + sum(model.dual.map((alpha, s) => alpha * (kernel[r * rows + s] as number)))
    })
    // M of the final B, α of the last step: equal as far as the fit converged.
    near(t, dual, byHand, { absolute: 1e-3 * (1 + Math.max(...byHand.map(Math.abs))) })

    // The price times Σ Ω(M) + ‖Θ‖² + misfit/λ with Θ = M⁻¹ B is the objective that was minimised.
    let theta = 0
    for (const block of model.blocks) {
      theta += sum(transformed(block, block.b, -1).map((value) => value * value))
    }
    t.true(theta < model.penalty)
    const square = (z: number) => (z - 1) ** 2
    const omega = model.blocks.map(({ transforms, numbers, structure, name: at }) => {
      const price = (s: number): ((z: number) => number) => {
        if (structure === 'matrix' && typeof options.left === 'function') {
          return (z) => (options.left as (z: number) => number)(z)
        }
        if (options.perBlock?.[at]?.power === 1) return (z) => z - 1
        return structure === 'matrix' && s === 1 && options.right === 1 ? (z) => z - 1 : square
      }
      const sides = transforms.map(({ z }, s) => sum(z.map(price(s))))
      return sum(sides) + sum(numbers.map(square))
    })
    near(t, model.price.value * sum(omega) + theta, model.penalty, 1e-6)
    near(t, model.penalty + model.misfit / 0.3, model.objective, 1e-9)

    for (const block of model.blocks) check(t, block, options, model.price.value)
    const misfit = sum(model.fit.map((value, r) => ((model.targets[r] as number) - value) ** 2))
    near(t, misfit, model.misfit, { absolute: 1e-9 * (1 + misfit) })
    if (name.startsWith('three')) {
      const conv = model.blocks.find(({ m, k }) => m === 4 && k === 18)
      t.deepEqual(conv?.modes, [4, 2, 9])
      t.deepEqual(
        conv?.transforms.map(({ dim }) => dim),
        [4, 2, 9],
      )
      t.deepEqual(
        conv?.stretches.map(({ length }) => length),
        [4, 2, 8],
      )
    }
    if (options.perBlock) {
      const [fixed, flat] = ['conv2', 'dense1'].map((at) =>
        model.blocks.find((block) => block.name === at),
      )
      t.is(fixed?.structure, 'fixed')
      t.true(fixed?.transforms.every(({ z }) => z.length === 0))
      t.is(flat?.singularValues.length, 1)
    }

    const dir = await mkdtemp(join(tmpdir(), 'at-'))
    t.teardown(() => rm(dir, { recursive: true }))
    await saveModel(join(dir, 'model.safetensors'), fitted)
    const loaded = (await loadModel(join(dir, 'model.safetensors'))) as NetworkModel
    t.deepEqual((await loaded.predict(network, x2)).data, predicted.data)
    t.deepEqual((await loaded.kernel(network, x2, x)).data, between.data)
    t.deepEqual(loaded.toDelta(), fitted.toDelta())

    const parts = await fitted.decompose(network, x)
    const self = await fitted.kernel(network, x)
    const plain = (await network.ntk(x)).data
    // Least squares: what is left of K_M is orthogonal to K_0 and to ŷŷᵀ.
    const left = Float64Array.from(self.data, (value, e) => {
      const outer = (model.fit[Math.floor(e / rows)] as number) * (model.fit[e % rows] as number)
      return value - parts.kernel * (plain[e] as number) - parts.target * outer
    })
    const norm = (values: Iterable<number>) => Math.sqrt(sum(Array.from(values, (v) => v * v)))
    const along = sum(left.map((v, e) => v * (plain[e] as number))) / norm(left) / norm(plain)
    near(t, along, 0, { absolute: 1e-2 })
    near(t, norm(left) / norm(self.data), parts.rest, { absolute: 1e-3 })
    t.true(parts.alignmentAfter > parts.alignmentBefore)
  })
}

/** What holds for every block by its definition. */
function check(
  t: ExecutionContext,
  block: BlockSolution,
  options: NetworkFitOptions,
  price: number,
) {
  const { m, k, b, singularValues, u, vt, stretches, structure } = block
  const energy = sum(b.map((value) => value * value))
  if (structure === 'fixed') {
    near(t, block.penalty, energy, { absolute: 1e-9 * (1 + energy) })
    return
  }
  t.true(stretches.every((side) => side.every((z) => z >= 1)))
  if (structure !== 'modes') {
    near(t, sum(singularValues.map((s) => s * s)), energy, { absolute: 1e-9 * (1 + energy) })
    const shares = singularValues.map((s) => (s * s) / energy).filter((p) => p > 0)
    const rank = Math.exp(-sum(shares.map((p) => p * Math.log(p))))
    near(t, block.effectiveRank, rank, 1e-6)
  }
  if (structure !== 'matrix') return
  const r = singularValues.length
  t.is(r, Math.min(m, k))
  const back = new Float64Array(m * k)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < k; j++) {
      for (let s = 0; s < r; s++) {
        back[i * k + j] =
          (back[i * k + j] as number) +
          (u[i * r + s] as number) * (singularValues[s] as number) * (vt[s * k + j] as number)
      }
    }
  }
  near(t, back, b, { absolute: 1e-10 * (1 + (singularValues[0] as number)) })
  const { left = 2, right = 2 } = options
  const sides = [left, right].filter((side) => side !== 'none')
  const { value, z } = penaltyOf(singularValues, sides, price)
  near(t, sum(value), block.penalty, 1e-9)
  for (const [s, side] of stretches.filter(({ length }) => length > 0).entries()) {
    near(t, side, z[s], { absolute: 1e-5 })
  }
}

test('θ0 + Δ is an ONNX file that onnxruntime runs: the first-order model as Δ shrinks', async (t) => {
  await using network = await load()
  const dir = await mkdtemp(join(tmpdir(), 'at-'))
  t.teardown(() => rm(dir, { recursive: true }))
  const base = Float64Array.from((await network.run(x)).data as Float32Array)
  const errors: number[] = []
  const changes: number[] = []
  for (const scale of [1e-1, 1e-2, 1e-3]) {
    // Targets a share of the way from what the network says now: B shrinks with them.
    const target: NdArray = {
      data: base.map((f, r) => f + scale * (gaussians(base.length, 84)[r] as number)),
      shape: [14, outputs],
    }
    const fitted = await fitAdaptive(network, x, target, { ridge: 0.3 })
    const path = join(dir, `${scale}.onnx`)
    await fitted.exportOnnx(network, path, { form: 'weights' })
    const session = await ort.InferenceSession.create(await readFile(path))
    const feeds = { x: new ort.Tensor('float32', x.data, x.shape) }
    const own = (await session.run(feeds)).y?.data as Float32Array
    const linear = await fitted.predict(network, x)
    errors.push(farthest(own, linear.data).difference)
    changes.push(farthest(linear.data, base).difference)
    // The same weights by withParameters.
    await using changed = await network.withParameters(await fitted.weights(network))
    near(t, (await changed.run(x)).data as Float32Array, own, { absolute: 1e-6 })
  }
  t.log({ errors, changes })
  // The error is of second order: its share of the change falls with the change.
  const shares = errors.map((error, i) => error / (changes[i] as number))
  t.true((shares[1] as number) < (shares[0] as number))
  t.true((shares[2] as number) < 0.1 * (shares[0] as number))
})

test('a warm start through a network takes fewer iterations to the same optimum', async (t) => {
  await using network = await load()
  const close = await fitAdaptive(network, x, y, { ridge: 0.33 })
  const cold = await fitAdaptive(network, x, y, { ridge: 0.3 })
  const warm = await fitAdaptive(network, x, y, { ridge: 0.3, start: close.model })
  t.log(cold.model.iterations.length, warm.model.iterations.length)
  t.true(warm.model.iterations.length < cold.model.iterations.length)
  near(t, warm.model.objective, cold.model.objective, 1e-6)
  const other = await fitAdaptive(network, x, y, { ridge: 1, blocks: 'parameter' })
  await t.throwsAsync(fitAdaptive(network, x, y, { start: other.model }), { code: 'BAD_ARGUMENT' })
})

// Products with the Jacobian and the kernel, by the identities that define them.
import test from 'ava'
import type { NdArray } from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

function setUp(seed: number) {
  const random = new Random(seed)
  return { random, bytes: mlp(random, [6, 9, 8, 4]), x: samples(random, [10, 6]) }
}

test('vjp is the transpose of the Jacobian', async (t) => {
  const { random, bytes, x } = setUp(1)
  const network = await load(t, bytes)
  const u = samples(random, [10, 4])
  const jacobian = await network.jacobian(x)
  for (const block of [0, 1, 3]) {
    for (const [name, value] of await network.vjp(x, u, { block })) {
      const j = jacobian.get(name) as NdArray
      const count = value.data.length
      const expected = new Float64Array(count)
      for (let row = 0; row < 40; row += 1) {
        for (let p = 0; p < count; p += 1) {
          expected[p] =
            (expected[p] as number) + (u.data[row] as number) * Number(j.data[row * count + p])
        }
      }
      t.deepEqual(value.shape, j.shape.slice(2))
      near(t, value, { data: expected, shape: value.shape }, 5e-6, name)
    }
  }
})

test('vjp against central differences of the network', async (t) => {
  const { random, bytes, x } = setUp(2)
  const network = await load(t, bytes)
  const u = samples(random, [10, 4])
  const gradient = await network.vjp(x, u)
  // Along a random direction v: ⟨Jᵀu, v⟩ = ⟨u, J v⟩.
  const direction = new Map<string, Float32Array>()
  for (const { name, count } of network.parameters) direction.set(name, random.normals(count))
  let adjoint = 0
  for (const [name, value] of gradient) {
    value.data.forEach((g, p) => {
      adjoint += g * (direction.get(name)?.[p] as number)
    })
  }
  const step = 1e-3
  const moved = async (by: number) => {
    const weights = new Map(
      network.parameters.map(({ name }) => [
        name,
        network.weight(name).data.map((w, p) => w + by * (direction.get(name)?.[p] as number)),
      ]),
    )
    await using other = await network.withParameters(weights)
    const y = await other.run(x)
    return u.data.reduce((sum, value, e) => sum + value * Number(y.data[e]), 0)
  }
  const difference = ((await moved(step)) - (await moved(-step))) / (2 * step)
  near(t, difference, adjoint, 2e-3)
})

test('ntkProduct is K·v', async (t) => {
  const { random, bytes, x } = setUp(3)
  const network = await load(t, bytes)
  for (const outputs of [undefined, [2, 0, 3]]) {
    const o = outputs?.length ?? 4
    const { data: k } = await network.ntk(x, { outputs })
    const rows = 10 * o
    for (const columns of [0, 1, 3]) {
      const v = samples(random, columns === 0 ? [10, o] : [10, o, columns])
      const q = Math.max(columns, 1)
      const expected = new Float64Array(rows * q)
      for (let r = 0; r < rows; r += 1) {
        for (let s = 0; s < rows; s += 1) {
          for (let c = 0; c < q; c += 1) {
            expected[r * q + c] =
              (expected[r * q + c] as number) +
              (k[r * rows + s] as number) * (v.data[s * q + c] as number)
          }
        }
      }
      for (const block of [0, 1, 4]) {
        const product = await network.ntkProduct(x, v, { outputs, block })
        near(t, product, { data: expected, shape: v.shape }, 5e-6)
      }
    }
  }
})

// Multinomial regression on kernels: the conditions of its optimum, which is unique.
import test from 'ava'
import { solveSoftmax, type TangentError } from '../../lib/index.js'
import { near } from '../support/near.js'
import { Random } from '../support/random.js'

/** X Xᵀ of random features, of rows (sample, output). */
function gram(random: Random, rows: number, width: number, scale = 1) {
  const x = random.normals(rows * width)
  const data = new Float64Array(rows * rows)
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < rows; j += 1) {
      let sum = 0
      for (let k = 0; k < width; k += 1)
        sum += (x[i * width + k] as number) * (x[j * width + k] as number)
      data[i * rows + j] = scale * sum
    }
  }
  return data
}

for (const [n, outputs, ridge, scale] of [
  [7, 3, 1, 1],
  [7, 3, 1e-4, 1],
  [20, 2, 1e-2, 1e4],
  [5, 6, 1e3, 1e-3],
] as const) {
  test(`${n} samples of ${outputs} classes, ridge ${ridge}, kernel × ${scale}`, async (t) => {
    const random = new Random(n)
    const rows = n * outputs
    const kernel = gram(random, rows, 9, scale)
    const offset = Float64Array.from(random.normals(rows))
    const y = Float64Array.from({ length: rows }, (_, r) =>
      r % outputs === Math.floor(r / outputs) % outputs ? 1 : 0,
    )
    const options = { outputs, ridge, offset }
    const found = await solveSoftmax(kernel, y, options)
    t.is(found.status, 'converged')
    const u = Float64Array.from({ length: rows }, (_, r) => {
      let sum = offset[r] as number
      for (let s = 0; s < rows; s += 1) {
        sum += (kernel[r * rows + s] as number) * (found.alpha[s] as number)
      }
      return sum
    })
    // ridge·α = y − softmax(f0 + Kα), which only the optimum fulfils.
    let loss = 0
    const rest = y.map((value, r) => {
      const first = r - (r % outputs)
      const own = u.subarray(first, first + outputs)
      const most = Math.max(...own)
      const all = own.reduce((sum, one) => sum + Math.exp(one - most), 0)
      const p = Math.exp((u[r] as number) - most) / all
      if (value === 1) loss -= (u[r] as number) - most - Math.log(all)
      return value - p - ridge * (found.alpha[r] as number)
    })
    near(t, rest, new Float64Array(rows), { absolute: 1e-8 })
    near(t, found.loss, loss, { share: 1e-8, floor: 1e-6 })
    // Classes in another order are the same problem.
    const back = (values: Float64Array) =>
      values.map((_, r) => values[r - (r % outputs) + outputs - 1 - (r % outputs)] as number)
    const turned = new Float64Array(rows * rows)
    const place = (r: number) => r - (r % outputs) + outputs - 1 - (r % outputs)
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < rows; j += 1)
        turned[i * rows + j] = kernel[place(i) * rows + place(j)] as number
    }
    const other = await solveSoftmax(turned, back(y), {
      ...options,
      offset: back(offset),
      threads: 1,
    })
    near(t, back(other.alpha), found.alpha, 1e-6)
  })
}

test('two classes are logistic regression on the difference of their rows', async (t) => {
  // One sample, K = I: α_1 = −α_2 = a with ridge·a = 1 − 1/(1 + e^{−2a}), solved by bisection.
  const ridge = 0.25
  const kernel = Float64Array.of(1, 0, 0, 1)
  const { alpha } = await solveSoftmax(kernel, [1, 0], { outputs: 2, ridge })
  let [low, high] = [0, 10]
  for (let k = 0; k < 100; k += 1) {
    const a = (low + high) / 2
    if (ridge * a < 1 - 1 / (1 + Math.exp(-2 * a))) low = a
    else high = a
  }
  near(t, alpha, [low, -low], 1e-9)
})

test('wrong arguments, budgets and aborts', async (t) => {
  const kernel = { data: Float64Array.of(1, 0, 0, 1), shape: [1, 2, 1, 2] }
  const told = async (y: number[], options: object, words: RegExp) => {
    const error = (await t.throwsAsync(solveSoftmax(kernel, y, options))) as TangentError
    t.regex(error.message, words)
  }
  await told([1, 0.5], {}, /probabilities that sum to 1/)
  await told([1], {}, /2 numbers for y but received 1 numbers/)
  await told([1, 0], { ridge: 0 }, /a number above 0 for options.ridge/)
  await told([1, 0], { outputs: 1 }, /at least two/)
  await told([1, 0], { offset: [0] }, /2 numbers for options.offset/)
  await told([1, 0], { offset: [0, Number.NaN] }, /finite numbers for options.offset/)
  await told([1, 0], { memory: 64 }, /takes 96 bytes but the budget is 64/)
  await t.throwsAsync(solveSoftmax(kernel, [1, 0], { signal: AbortSignal.abort() }), { any: true })
})

// Features of single samples from their factors, and products of many rows, against plain sums.
import test from 'ava'
import { eachFeature, turned } from '../../lib/audit/laplace/features.js'
import { isSparse, rowProducts } from '../../lib/audit/products.js'
import { breathing } from '../../lib/core/turns.js'
import { transposed } from '../../lib/linear/transpose.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

// Below and above the size from which the native core forms them; sparse ones are formed here.
const cases = [
  { positions: 3, m: 4, k: 5, every: 1 },
  { positions: 64, m: 32, k: 64, every: 1 },
  { positions: 64, m: 32, k: 64, every: 50 },
]

for (const { positions, m, k, every } of cases) {
  test(`δ (${positions} × ${m}), 1 in ${every}, times h (${positions} × ${k})`, async (t) => {
    const [samples, outputs] = [2, 2]
    const delta = Float64Array.from(gaussians(samples * outputs * positions * m, 1), (value, e) =>
      e % every === 0 ? value : 0,
    )
    const h = Float64Array.from(gaussians(samples * positions * k, 2))
    const factors = { name: 'w', samples, outputs, positions, m, k, delta, h }
    const seen: number[] = []
    await eachFeature(factors, 1, {}, breathing(), (x, o) => {
      seen.push(o)
      const truth = Float64Array.from({ length: m * k }, (_, e) => {
        const [a, b] = [Math.floor(e / k), e % k]
        let sum = 0
        for (let p = 0; p < positions; p += 1)
          sum += delta[((outputs + o) * positions + p) * m + a]! * h[(positions + p) * k + b]!
        return sum
      })
      near(t, x, truth, 1e-12)
    })
    t.deepEqual(seen, [0, 1])
  })

  test(`rows (${positions} × ${m}), 1 in ${every}, in another basis`, async (t) => {
    const x = Float64Array.from(gaussians(positions * m, 3), (value, e) =>
      e % every === 0 ? value : 0,
    )
    t.is(isSparse(x), every > 1)
    const basis = Float64Array.from(gaussians(m * m, 4))
    const product = (p: number, q: number) => {
      let sum = 0
      for (let e = 0; e < m; e += 1) sum += x[p * m + e]! * basis[q * m + e]!
      return sum
    }
    const truth = Float64Array.from({ length: positions * m }, (_, e) =>
      product(Math.floor(e / m), e % m),
    )
    near(t, await turned(x, basis, m), truth, 1e-12)
    near(t, await rowProducts(x, basis, m), truth, 1e-12)
    const back = await transposed(await transposed(x, positions, m), m, positions)
    t.deepEqual(back, x)
  })
}

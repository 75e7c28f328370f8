// Deep linear networks, whose kernel is known in closed form.
import test from 'ava'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

/** (m × k)·(k × n) in float64; `transposed`: the second is (n × k). */
function multiply(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [m, k, n]: readonly [number, number, number],
  transposed = false,
): Float64Array {
  const out = new Float64Array(m * n)
  for (let i = 0; i < m; i += 1) {
    for (let j = 0; j < n; j += 1) {
      let sum = 0
      for (let l = 0; l < k; l += 1) {
        sum += (a[i * k + l] as number) * (b[transposed ? j * k + l : l * n + j] as number)
      }
      out[i * n + j] = sum
    }
  }
  return out
}

for (const widths of [
  [4, 3],
  [5, 8, 3],
  [6, 10, 4, 9, 2],
]) {
  test(`a linear network of widths ${widths.join(', ')}`, async (t) => {
    const random = new Random(widths.length)
    const network = await load(t, mlp(random, widths, { relu: false, bias: false }))
    const n = 7
    const x = samples(random, [n, widths[0] as number])
    const depth = widths.length - 1
    const weights = Array.from({ length: depth }, (_, k) => network.weight(`l.${k}.weight`).data)
    const outputs = widths[depth] as number

    // f = W_L … W_1 x: K = Σ_l (A_l A_lᵀ) ⊗ (h_l h_l'ᵀ), A_l what follows layer l, h_l its input.
    let features: Float64Array = Float64Array.from(x.data)
    const kernel = new Float64Array((n * outputs) ** 2)
    for (let l = 0; l < depth; l += 1) {
      const [fanIn, fanOut] = [widths[l] as number, widths[l + 1] as number]
      let after: Float64Array = new Float64Array(outputs * outputs)
      for (let o = 0; o < outputs; o += 1) after[o * outputs + o] = 1
      for (let k = depth - 1; k > l; k -= 1) {
        const shape = [outputs, widths[k + 1] as number, widths[k] as number] as const
        after = multiply(after, weights[k] as Float32Array, shape)
      }
      const left = multiply(after, after, [outputs, fanOut, outputs], true)
      const right = multiply(features, features, [n, fanIn, n], true)
      for (let i = 0; i < n; i += 1) {
        for (let o = 0; o < outputs; o += 1) {
          for (let j = 0; j < n; j += 1) {
            for (let p = 0; p < outputs; p += 1) {
              const at = ((i * outputs + o) * n + j) * outputs + p
              kernel[at] =
                (kernel[at] as number) +
                (left[o * outputs + p] as number) * (right[i * n + j] as number)
            }
          }
        }
      }
      features = multiply(features, weights[l] as Float32Array, [n, fanIn, fanOut], true)
    }
    const truth = { data: kernel, shape: [n, outputs, n, outputs] }
    for (const method of ['auto', 'jacobian', 'structured', 'mixed'] as const) {
      near(t, await network.ntk(x, { method }), truth, 2e-6, method)
    }
  })
}

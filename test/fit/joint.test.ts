import test from 'ava'
import { fitFeatures } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

// The joint problem over (M_left, Θ, M_right), minimised directly by L-BFGS from several starts:
// Σ_blocks Ω(M_left) + Ω(M_right) + ‖Θ‖² + ‖r − fit‖²/λ with Ω(M) = Σ (σ_j(M) − 1)², which is
// ‖M‖_F² − 2‖M‖_* + n with gradient 2M − 2·polar(M).

type Matrix = Float64Array

function multiply(a: Matrix, b: Matrix, m: number, k: number, n: number): Matrix {
  const out = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const value = a[i * k + p] as number
      for (let j = 0; j < n; j++) {
        out[i * n + j] = (out[i * n + j] as number) + value * (b[p * n + j] as number)
      }
    }
  }
  return out
}

function transpose(a: Matrix, m: number, n: number): Matrix {
  const out = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j] as number
  }
  return out
}

function inverse(a: Matrix, n: number): Matrix {
  const left = a.slice()
  const right = new Float64Array(n * n)
  for (let i = 0; i < n; i++) right[i * n + i] = 1
  for (let c = 0; c < n; c++) {
    let pivot = c
    for (let i = c + 1; i < n; i++) {
      if (Math.abs(left[i * n + c] as number) > Math.abs(left[pivot * n + c] as number)) pivot = i
    }
    for (const x of [left, right]) {
      for (let j = 0; j < n; j++) {
        const held = x[c * n + j] as number
        x[c * n + j] = x[pivot * n + j] as number
        x[pivot * n + j] = held
      }
    }
    const scale = 1 / (left[c * n + c] as number)
    for (const x of [left, right]) {
      for (let j = 0; j < n; j++) x[c * n + j] = (x[c * n + j] as number) * scale
    }
    for (let i = 0; i < n; i++) {
      if (i === c) continue
      const factor = left[i * n + c] as number
      for (const x of [left, right]) {
        for (let j = 0; j < n; j++) {
          x[i * n + j] = (x[i * n + j] as number) - factor * (x[c * n + j] as number)
        }
      }
    }
  }
  return right
}

/** The orthogonal polar factor, by Newton's iteration. */
function polar(m: Matrix, n: number): Matrix {
  let x = m
  for (let i = 0; i < 60; i++) {
    const other = transpose(inverse(x, n), n, n)
    const next = x.map((value, j) => 0.5 * (value + (other[j] as number)))
    const change = Math.max(...next.map((value, j) => Math.abs(value - (x[j] as number))))
    x = next
    if (change < 1e-14) break
  }
  return x
}

interface Problem {
  n: number
  shapes: { m: number; k: number }[]
  xs: Float64Array[]
  r: Float64Array
  ridge: number
  right: boolean
}

const dot = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0)

function joint(problem: Problem, v: Float64Array): { value: number; gradient: Float64Array } {
  const { n, shapes, xs, r, ridge, right } = problem
  const gradient = new Float64Array(v.length)
  const rest = r.slice()
  let value = 0
  let at = 0
  const parts = shapes.map(({ m, k }, b) => {
    const [l, t, g] = [m * m, m * k, k * k]
    const part = {
      m,
      k,
      x: xs[b] as Float64Array,
      left: v.subarray(at, at + l),
      theta: v.subarray(at + l, at + l + t),
      right: v.subarray(at + l + t, at + l + t + g),
      at,
    }
    at += l + t + g
    return part
  })
  const effective = parts.map(({ m, k, left, theta, right: g }) =>
    multiply(multiply(transpose(left, m, m), theta, m, m, k), transpose(g, k, k), m, k, k),
  )
  parts.forEach(({ m, k, x }, b) => {
    for (let i = 0; i < n; i++) {
      const fit = dot(x.subarray(i * m * k, (i + 1) * m * k), effective[b] as Float64Array)
      rest[i] = (rest[i] as number) - fit
    }
  })
  value += dot(rest, rest) / ridge
  for (const { m, k, x, left, theta, right: g, at: start } of parts) {
    const s = new Float64Array(m * k)
    for (let i = 0; i < n; i++) {
      const weight = (-2 * (rest[i] as number)) / ridge
      for (let j = 0; j < m * k; j++) {
        s[j] = (s[j] as number) + weight * (x[i * m * k + j] as number)
      }
    }
    // fit = ⟨S, LᵀΘGᵀ⟩: by Θ it is L S G, by L it is Θ Gᵀ Sᵀ, by G it is SᵀLᵀΘ.
    const byTheta = multiply(multiply(left, s, m, m, k), g, m, k, k)
    const byLeft = multiply(
      multiply(theta, transpose(g, k, k), m, k, k),
      transpose(s, m, k),
      m,
      k,
      m,
    )
    const byRight = multiply(
      multiply(transpose(s, m, k), transpose(left, m, m), k, m, m),
      theta,
      k,
      m,
      k,
    )
    value += dot(theta, theta)
    const add = (offset: number, size: number, entry: (j: number) => number) => {
      for (let j = 0; j < size; j++) gradient[start + offset + j] = entry(j)
    }
    add(m * m, m * k, (j) => (byTheta[j] as number) + 2 * (theta[j] as number))
    const sides: [Matrix, Matrix, number, number, boolean][] = [
      [left, byLeft, m, 0, true],
      [g, byRight, k, m * m + m * k, right],
    ]
    for (const [matrix, by, size, offset, free] of sides) {
      if (!free) continue
      const q = polar(matrix, size)
      value += dot(matrix, matrix) - 2 * dot(q, matrix) + size
      add(
        offset,
        size * size,
        (j) => (by[j] as number) + 2 * ((matrix[j] as number) - (q[j] as number)),
      )
    }
  }
  return { value, gradient }
}

function descend(
  f: (v: Float64Array) => { value: number; gradient: Float64Array },
  v: Float64Array,
) {
  let here = f(v)
  const pairs: { s: Float64Array; y: Float64Array; rho: number }[] = []
  for (let iteration = 0; iteration < 3000; iteration++) {
    const q = here.gradient.slice()
    const alphas: number[] = []
    for (const { s, y, rho } of [...pairs].reverse()) {
      const alpha = rho * dot(s, q)
      alphas.unshift(alpha)
      for (let i = 0; i < q.length; i++) q[i] = (q[i] as number) - alpha * (y[i] as number)
    }
    const last = pairs.at(-1)
    const scale = last ? 1 / (last.rho * dot(last.y, last.y)) : 1e-3
    for (let i = 0; i < q.length; i++) q[i] = (q[i] as number) * scale
    pairs.forEach(({ s, y, rho }, p) => {
      const beta = rho * dot(y, q)
      const alpha = alphas[p] as number
      for (let i = 0; i < q.length; i++) q[i] = (q[i] as number) + (alpha - beta) * (s[i] as number)
    })
    const slope = -dot(q, here.gradient)
    let step = 1
    let next = v
    let there = here
    for (; step > 1e-14; step /= 2) {
      next = v.map((value, i) => value - step * (q[i] as number))
      there = f(next)
      if (there.value <= here.value + 1e-4 * step * slope) break
    }
    if (!(there.value < here.value)) break
    const s = next.map((value, i) => value - (v[i] as number))
    const y = there.gradient.map((value, i) => value - (here.gradient[i] as number))
    const sy = dot(s, y)
    if (sy > 0) pairs.push({ s, y, rho: 1 / sy })
    if (pairs.length > 20) pairs.shift()
    const gain = here.value - there.value
    v = next
    here = there
    if (gain < 1e-13 * here.value && dot(here.gradient, here.gradient) < 1e-12) break
  }
  return here.value
}

test('the joint problem minimised directly never ends lower', async (t) => {
  const shapes = [
    { m: 3, k: 4 },
    { m: 2, k: 2 },
  ]
  const n = 8
  for (const [index, right] of [true, false, true].entries()) {
    const xs = shapes.map(({ m, k }, b) => gaussians(n * m * k, 100 + 10 * index + b))
    const r = gaussians(n, 200 + index).map((value) => 4 * value)
    const ridge = [0.3, 0.1, 1][index] as number
    const problem: Problem = { n, shapes, xs, r, ridge, right }
    const features = await TangentFeatures.from(
      n,
      1,
      shapes.map((shape, b) => ({ name: `${b}`, ...shape, x: xs[b] as Float64Array })),
    )
    const model = await fitFeatures(features, r, {
      left: 2,
      right: right ? 2 : 'none',
      ridge,
      price: { absolute: 1 },
    })
    const size = shapes.reduce((sum, { m, k }) => sum + m * m + m * k + k * k, 0)
    let best = Number.POSITIVE_INFINITY
    for (const seed of [1, 2, 3, 4]) {
      const noise = gaussians(size, 300 + seed)
      const start = new Float64Array(size)
      let at = 0
      for (const { m, k } of shapes) {
        const part = (length: number, eye: number, spread: number) => {
          for (let j = 0; j < length; j++) {
            const one = eye > 0 && j % (eye + 1) === 0 ? 1 : 0
            start[at + j] = one + spread * (noise[at + j] as number)
          }
          at += length
        }
        part(m * m, m, 0.2)
        part(m * k, 0, 0.3)
        part(k * k, k, right ? 0.2 : 0)
      }
      // The gradient itself first: a wrong one would prove nothing.
      if (seed === 1) {
        const { gradient } = joint(problem, start)
        for (const j of [0, 3, 10, 20, size - 1]) {
          if (gradient[j] === 0) continue
          const h = 1e-6
          const moved = (d: number) =>
            joint(
              problem,
              start.map((x, i) => (i === j ? x + d : x)),
            )
          const slope = (moved(h).value - moved(-h).value) / (2 * h)
          near(t, slope, gradient[j], { absolute: 1e-5 * (1 + Math.abs(slope)) })
        }
      }
      best = Math.min(
        best,
        descend((v) => joint(problem, v), start),
      )
    }
    t.log(`${model.objective} against ${best}`)
    t.true(best >= model.objective * (1 - 1e-6), `${best} below ${model.objective}`)
    t.true(best <= model.objective * (1 + 1e-3), `${best}: the starts found nothing near`)
  }
})

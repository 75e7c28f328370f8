// Standard errors of the report, against the definition: every sample left out in turn, by the book.
import test from 'ava'
import { KernelSpectrum, TangentKernel } from '../../lib/index.js'
import { alignments, estimate, standardError, targetSums } from '../../lib/probe/left-out.js'
import { spectrumOf } from '../../lib/probe/spectrum.js'
import { near } from '../support/near.js'
import { Random } from '../support/random.js'

type Matrix = number[][]

const without = (k: Matrix, i: number): Matrix =>
  k.filter((_, a) => a !== i).map((row) => row.filter((_, b) => b !== i))

/** H K H by the book. */
function centre(k: Matrix): Matrix {
  const n = k.length
  const h = k.map((_, i) => k.map((_, j) => (i === j ? 1 : 0) - 1 / n))
  const times = (a: Matrix, b: Matrix) =>
    a.map((row) => row.map((_, j) => row.reduce((sum, v, m) => sum + v * b[m]![j]!, 0)))
  return times(times(h, k), h)
}

function cosine(a: Matrix, b: Matrix): number {
  const inner = (p: Matrix, q: Matrix) =>
    p.reduce((sum, row, i) => sum + row.reduce((part, v, j) => part + v * q[i]![j]!, 0), 0)
  return inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b))
}

function symmetric(random: Random, n: number): Matrix {
  const features = Array.from({ length: n }, () => [...random.normals(4)])
  return features.map((f) => features.map((g) => 3 + f.reduce((sum, v, k) => sum + v * g[k]!, 0)))
}

test('alignments without each sample are those of the smaller kernels', async (t) => {
  const random = new Random(5)
  const n = 9
  const k = symmetric(random, n)
  const labels = Array.from({ length: n }, (_, i) => i % 3)
  const y = labels.map((a) => labels.map((b) => (a === b ? 1 : 0)))
  const found = await alignments(k.flat(), await targetSums(centre(y).flat(), n))
  near(t, found.centred.value, cosine(centre(k), centre(y)), 1e-10)
  near(t, found.cosine.value, cosine(k, centre(y)), 1e-10)
  for (let i = 0; i < n; i++) {
    const [kernel, target] = [without(k, i), centre(without(y, i))]
    near(t, found.centred.without[i]!, cosine(centre(kernel), target), 1e-10)
    near(t, found.cosine.without[i]!, cosine(kernel, target), 1e-10)
  }
})

test('the jackknife of a mean is its standard error, paired for a difference', (t) => {
  const values = [1, 4, 2, 8, 5, 7]
  const mean = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / list.length
  const leftOut = (list: number[]) => ({
    value: mean(list),
    without: Float64Array.from(list, (_, i) => mean(list.toSpliced(i, 1))),
  })
  const spread = (list: number[]) =>
    Math.sqrt(
      list.reduce((sum, v) => sum + (v - mean(list)) ** 2, 0) / (list.length - 1) / list.length,
    )
  near(t, standardError(leftOut(values).without), spread(values), 1e-5)
  const other = [2, 4, 1, 9, 7, 6]
  const found = estimate(leftOut(other), leftOut(values))
  near(t, found.change?.value, mean(other) - mean(values), 1e-5)
  const gaps = other.map((v, i) => v - values[i]!)
  near(t, found.change?.standardError, spread(gaps), 1e-5)
  t.is(standardError(Float64Array.of(1, 2)), null)
})

test('the effective rank without a sample, to first order, is its slope in that sample’s weight', async (t) => {
  const random = new Random(8)
  const [samples, outputs] = [5, 2]
  const n = samples * outputs
  const features = Array.from({ length: n }, () => [...random.normals(12)])
  const kernel = (weights: number[]) =>
    Float64Array.from({ length: n * n }, (_, e) => {
      const [a, b] = [Math.floor(e / n), e % n]
      const inner = features[a]!.reduce((sum, v, k) => sum + v * features[b]![k]!, 0)
      const weight = (row: number) => weights[Math.floor(row / outputs)]!
      return inner * Math.sqrt(weight(a) * weight(b))
    })
  const entropyOf = async (weights: number[]) => {
    const values = (await KernelSpectrum.of(kernel(weights))).values.map((v) => Math.max(v, 0))
    const total = values.reduce((sum, v) => sum + v, 0)
    return values.reduce((sum, v) => sum - (v > 0 ? (v / total) * Math.log(v / total) : 0), 0)
  }
  const ones = Array(samples).fill(1)
  const matrix = new TangentKernel(kernel(ones), [n, n], 'trace', true)
  const { logRank } = await spectrumOf(matrix as never, 'gram', { samples, memory: 1e9 })
  near(t, logRank?.value, await entropyOf(ones), 1e-8)
  for (let i = 0; i < samples; i++) {
    const moved = (by: number) => entropyOf(ones.with(i, 1 + by))
    const slope = ((await moved(1e-4)) - (await moved(-1e-4))) / 2e-4
    near(t, logRank!.value - logRank!.without[i]!, slope, { absolute: 1e-6 })
  }
  const small = await spectrumOf(matrix as never, 'gram', { samples, memory: 1000 })
  t.is(small.logRank, null)
  near(t, small.spectrum.effectiveRank, Math.exp(logRank!.value), 1e-5)
})

// The paper's experiments on real digits, at a scale of seconds.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ratios } from '../../examples/paper/complexity.js'
import type { Context } from '../../examples/paper/context.js'
import type { CurvePoint } from '../../examples/paper/curves.js'
import { readDataSet } from '../../examples/paper/data.js'
import { figurePath } from '../../examples/paper/figure-path.js'
import { figureSequence } from '../../examples/paper/figure-sequence.js'
import { figure2 } from '../../examples/paper/figure2.js'
import { figure4 } from '../../examples/paper/figure4.js'
import { figures1and3, spread } from '../../examples/paper/figure13.js'
import { Store } from '../../examples/paper/store.js'
import { near } from '../support/near.js'

async function contextOf(
  t: { teardown(fn: () => Promise<void>): void },
  seeds: number[],
): Promise<Context> {
  const out = await mkdtemp(join(tmpdir(), 'paper-'))
  t.teardown(() => rm(out, { recursive: true }))
  const store = new Store(join(out, 'results'))
  return { out, store, threads: 1, seeds, scale: 'tiny', stored: false, say: () => {} }
}

const json = async (folder: string, name: string) =>
  JSON.parse(await readFile(join(folder, name), 'utf8'))

/** A picture that is whole, in a page that asks for nothing. */
async function isFigure(folder: string, svg: string, html: string): Promise<boolean> {
  const picture = await readFile(join(folder, svg), 'utf8')
  const page = await readFile(join(folder, html), 'utf8')
  const text = picture.replace(/data:[^"]*/g, '')
  const sound = picture.startsWith('<svg xmlns=') && !/NaN|undefined|null/.test(text)
  return sound && page.includes('</html>') && !/(src|href)="(https?:)?\/\//.test(page)
}

test('the digits are those of MNIST', (t) => {
  const { train, test: held } = readDataSet('mnist')
  t.deepEqual(
    [train.shape, held.shape],
    [
      [60_000, 1, 28, 28],
      [10_000, 1, 28, 28],
    ],
  )
  t.deepEqual([...train.labels.subarray(0, 5)], [5, 0, 4, 1, 9])
  // Mean and deviation of the pixels, as everybody normalises them.
  let [sum, square] = [0, 0]
  for (const value of train.data) {
    sum += value
    square += value * value
  }
  const mean = sum / train.data.length
  const deviation = Math.sqrt(square / train.data.length - mean ** 2)
  near(t, [mean, deviation], [0.1307, 0.3081], { absolute: 1e-4 })
})

test('figure 2: the penalties have their closed forms', async (t) => {
  const context = await contextOf(t, [1])
  figure2(context)
  const { at5 } = await json(context.out, 'fig2.json')
  for (const { value, paper } of at5) t.is(value.toFixed(4), paper)
  t.true(await isFigure(context.out, 'fig2.svg', 'fig2.html'))
})

test('figures 1 and 3: training on the sign aligns the kernel more, most at the boundary', async (t) => {
  const context = await contextOf(t, [1, 2])
  await figures1and3(context)
  const { summary, results } = await json(context.out, 'fig1-fig3.json')
  const { smooth, sign } = summary
  t.true(sign.similarity.mean > smooth.similarity.mean + 0.05, JSON.stringify(summary))
  t.true(smooth.similarity.mean > smooth.initial.mean)
  t.true(sign.nearest.mean > 1.2 * smooth.nearest.mean, JSON.stringify(summary))
  t.true(smooth.residual.mean < 0.02 && sign.residual.mean < 0.02)
  t.is(results.length, 4)
  t.true(await isFigure(context.out, 'fig1.svg', 'fig1-fig3.html'))
  t.true(await isFigure(context.out, 'fig3.svg', 'fig1-fig3.html'))
  // What is there is not run again.
  const names = (await readdir(context.store.folder)).filter((name) => name.endsWith('.json'))
  const times = () =>
    Promise.all(names.map(async (name) => (await stat(join(context.store.folder, name))).mtimeMs))
  const before = await times()
  await figures1and3(context)
  t.deepEqual(await times(), before)
})

test('the straight path: the loss falls, the kernel turns to the target, linearisations help inside', async (t) => {
  const context = await contextOf(t, [1])
  await figurePath(context)
  const { curves } = await json(context.out, 'path.json')
  for (const { target, points } of curves) {
    const [first, middle, last] = [points[0], points[10], points[20]]
    t.deepEqual([first.t, middle.t, last.t], [0, 0.5, 1])
    near(t, [first.initial, first.trace], [1, 1], { absolute: 1e-3 }, target)
    t.true(last.loss < 0.1 * first.loss && last.loss < middle.loss, target)
    t.true(last.target > first.target + 0.05, target)
    // The midpoint rule is of second order, the ends are of first.
    t.true(middle.signal > Math.max(first.signal, last.signal) + 2, target)
  }
  t.true(await isFigure(context.out, 'path.svg', 'path.html'))
})

test('adaptive eigenvalues: ahead where the target is not aligned, and in known eigenfunctions', async (t) => {
  const context = await contextOf(t, [1])
  await figureSequence(context)
  const { rates, onSamples } = await json(context.out, 'sequence.json')
  const errors = (depth: number | string) =>
    rates.find(
      (one: { target: string; depth: unknown; time: string }) =>
        one.target === 'misaligned' && one.depth === depth && one.time === 'risk',
    ).errors
  for (const depth of [0, 1, 3]) {
    for (const [e, error] of errors(depth).entries()) t.true(error < errors('fixed')[e], `${depth}`)
  }
  const error = (model: string) =>
    onSamples.find((one: { model: string }) => one.model === model).mean
  const ridge = error('ridge regression, leave-one-out')
  t.true(error('known eigenfunctions, D = 0') < 0.2 * ridge, JSON.stringify(onSamples))
  t.true(await isFigure(context.out, 'sequence.svg', 'sequence.html'))
})

test('sample complexity: errors c/√n need (c/c₀)² times the samples', (t) => {
  const sizes = [100, 200, 400, 800]
  const curve = (model: string, c: number) =>
    sizes.map((n) => ({ model, n, errors: [c / Math.sqrt(n)] }))
  const found = ratios([...curve('fixed', 1), ...curve('adaptive', 1.2), ...curve('full', 0.6)])
  const of = (model: string) => found.filter((one) => one.model === model)
  for (const { n, least, most } of of('adaptive')) {
    near(t, least, n < 800 ? 1.44 : 1, 1e-9)
    t.is(most === Number.POSITIVE_INFINITY, n === 800)
  }
  for (const { n, least, most } of of('full')) {
    near(t, most, n < 400 ? 100 / n : 0.36, 1e-9)
    t.is(least === 0, n < 400)
  }
})

const mean = (points: CurvePoint[], model: string) =>
  spread(points.find((point) => point.model === model)?.errors ?? []).mean

const options = {
  dataset: 'mnist',
  folder: undefined,
  sizes: undefined,
  solver: undefined,
} as const

test('figure 4, redrawn: the network learns fastest, then adaptive features, then fixed ones', async (t) => {
  const context = await contextOf(t, [1, 2])
  await figure4(readDataSet('mnist'), { ...options, protocol: 'redrawn' }, context)
  const { points, caption } = await json(context.out, 'fig4-redrawn-mnist.json')
  const [full, adaptive, fixed] = ['full', 'adaptive', 'fixed'].map((model) => mean(points, model))
  t.true(full! < adaptive! && adaptive! < fixed!, `${full} ${adaptive} ${fixed}`)
  t.regex(caption, /drawn again for every epoch/)
  t.true(await isFigure(context.out, 'fig4-redrawn-mnist.svg', 'fig4-redrawn-mnist.html'))
  // Drawn from what is there, other seeds left out; nothing is run.
  const more = { ...context, seeds: [1, 2, 3], stored: true }
  await figure4(readDataSet('mnist'), { ...options, protocol: 'redrawn' }, more)
  t.deepEqual((await json(context.out, 'fig4-redrawn-mnist.json')).points, points)
})

test('figure 4, fixed set: gradient descent and the solver learn from 125 and 40 digits', async (t) => {
  const context = await contextOf(t, [1])
  await figure4(readDataSet('mnist'), { ...options, protocol: 'fixed-set' }, context)
  const { points, caption } = await json(context.out, 'fig4-fixed-set-mnist.json')
  t.regex(caption, /the same n samples in every epoch/)
  // Chance errs on nine tenths.
  t.true(mean(points, 'full') < 0.6)
  for (const model of ['solver fixed', 'solver adaptive']) t.true(mean(points, model) < 0.8, model)
  t.true(await isFigure(context.out, 'fig4-fixed-set-mnist.svg', 'fig4-fixed-set-mnist.html'))
})

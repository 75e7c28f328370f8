// The benchmark that asks whether adapting pays: its statistics, its errors, and one small task.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { judge } from '../../bench/adapting/judge.js'
import { Results } from '../../bench/adapting/results.js'
import { runSplit } from '../../bench/adapting/run.js'
import { holm, pairedTest, studentTail } from '../../bench/adapting/statistics.js'
import { page, withTables } from '../../bench/adapting/table.js'
import { drawTable } from '../../bench/adapting/tables.js'
import { fullBudget, type Task } from '../../bench/adapting/task.js'
import { near } from '../support/near.js'
import { gaussians } from '../support/random.js'

test('the paired t test and Holm’s probabilities are those of SciPy and statsmodels', (t) => {
  // scipy.stats.ttest_rel of SciPy 1.17.1.
  const [a, b] = [
    [0.31, 0.28, 0.35, 0.3, 0.27],
    [0.33, 0.29, 0.34, 0.36, 0.3],
  ] as [number[], number[]]
  const found = pairedTest(a, b)
  near(t, found.t, -1.9005105362789934, 1e-12)
  near(t, found.p, 0.13016218077505887, 1e-12)
  near(t, found.mean, -0.022, 1e-12)
  // 2·scipy.stats.t.sf(|t|, freedom).
  for (const [value, freedom, p] of [
    [0.3, 1, 0.8144528418445154],
    [2.5, 2, 0.12961172022151082],
    [-1.7, 3, 0.18769064155341003],
    [2.093024, 19, 0.050000005380779894],
    [4, 19, 0.000766192337228645],
    [0.8, 40, 0.4284365164293455],
    [10, 6, 5.7919827549536234e-5],
  ] as const) {
    near(t, studentTail(value, freedom), p, 1e-9)
  }
  // Splits on which two methods agree: no difference; the same difference on all: no doubt.
  t.is(pairedTest([1, 2, 3], [1, 2, 3]).p, 1)
  t.is(pairedTest([1, 1], [2, 2]).p, 0)
  // statsmodels.stats.multitest.multipletests(…, method='holm') of statsmodels 0.15.0.
  near(t, holm([0.01, 0.04, 0.03, 0.005, 0.5]), [0.04, 0.09, 0.09, 0.025, 0.5], 1e-12)
})

test('the tables of docs/adapting.md are those of the results', (t) => {
  const text = readFileSync('docs/adapting.md', 'utf8')
  t.is(text, withTables(text, page(new Results('bench/adapting/results.json'))))
})

test('errors: squared over the variance, and wrong classes', (t) => {
  const y = { data: Int32Array.of(0, 2, 1), shape: [3] }
  const split = { test: { x: { data: new Float32Array(3), shape: [3, 1] }, y } }
  const exact = [1, 0, 0, 0, 0, 1, 0, 1, 0]
  t.deepEqual(judge({ kind: 'classes' }, split, exact), { error: 0, wrong: 0 })
  const third = new Array(9).fill(1 / 3)
  near(t, judge({ kind: 'classes' }, split, third).error, 1, 1e-12)
  t.is(judge({ kind: 'classes' }, split, [1, 0, 0, 0, 1, 0, 0, 1, 0]).wrong, 1 / 3)
  const signs = { test: { ...split.test, y: { data: Int32Array.of(0, 1, 1), shape: [3] } } }
  near(t, judge({ kind: 'classes' }, signs, [-2, 0.1, -0.1]).wrong, 1 / 3, 1e-12)
  const numbers = { test: { ...split.test, y: { data: Float32Array.of(1, 3), shape: [2, 1] } } }
  t.deepEqual(judge({ kind: 'numbers' }, numbers, [1, 2]), { error: 0.5 })
})

test('a small task: every method answers, and fixed features are a candidate of adaptive ones', async (t) => {
  const drawn = gaussians(60 * 2, 3)
  const x = Array.from({ length: 60 }, (_, i) => [...drawn.subarray(2 * i, 2 * i + 2)])
  const y = x.map(([a, b]) => Math.abs((a as number) + (b as number)))
  const infinite = [Number.POSITIVE_INFINITY]
  const task: Task = {
    name: 'small',
    title: 'small',
    kind: 'numbers',
    settings: {},
    budget: {
      ...fullBudget,
      prices: infinite,
      ridges: [1, 10],
      folds: 3,
      rates: [1e-2],
      epochs: 4,
      looks: 2,
    },
    splits: 1,
    draw: (split) => drawTable({ x, y, classes: false }, split),
  }
  const { errors, chosen, samples } = await runSplit(task, 0, false)
  t.is(samples, 21)
  for (const { error } of Object.values(errors)) t.true(error > 0 && error < 10)
  // An infinite price is fixed features: the same ridge, the same predictions.
  t.deepEqual(chosen.one, { price: 'infinite', ridge: chosen.fixed?.ridge as number, stretch: 1 })
  t.deepEqual(errors.one, errors.fixed)
  t.deepEqual(errors.two, errors.fixed)
  t.true((errors.fixed?.error as number) < (errors.untouched?.error as number))
  const adapted = await runSplit(
    { ...task, budget: { ...task.budget, prices: [0.1], oneSide: false } },
    0,
    false,
  )
  t.is(adapted.errors.one, undefined)
  t.deepEqual(adapted.errors.fixed, errors.fixed)
})

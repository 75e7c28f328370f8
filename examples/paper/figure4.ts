// Draws figure 4.
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import type { Context, CurveOptions } from './context.js'
import { type CurvePlan, type CurvePoint, curvePlan, curves } from './curves.js'
import type { DataSet } from './data.js'
import { spread } from './figure13.js'
import { page, picture } from './page.js'
import { foldsOf, solverPoints } from './solver.js'
import { write } from './store.js'

/** Read off the published figure (METHOD.md section 5), MNIST, `redrawn`. */
export const published = {
  sizes: [125, 250, 500, 1000, 2000, 4000, 8000],
  fixed: [0.187, 0.175, 0.142, 0.122, 0.105, 0.094, 0.083],
  adaptive: [0.14, 0.131, 0.114, 0.099, 0.085, 0.078, 0.073],
  full: [0.068, 0.054, 0.044, 0.032, 0.025, 0.023, 0.02],
}

const names: Record<string, string> = {
  full: 'network',
  adaptive: 'adaptive features',
  fixed: 'fixed features',
  'solver adaptive': 'adaptive, solver',
  'solver fixed': 'fixed, solver',
}
const colors: Record<string, string> = {
  full: '#111827',
  adaptive: '#c2410c',
  fixed: '#1d4ed8',
  'solver adaptive': '#f59e0b',
  'solver fixed': '#0ea5e9',
}

/** Runs what is not there yet, draws the figure and tells its numbers. */
export async function figure4(
  data: DataSet,
  options: CurveOptions,
  context: Context,
): Promise<void> {
  const { protocol, dataset } = options
  const plan = curvePlan(data, options, context.scale)
  const points = await curves(data, plan, protocol, context)
  if (protocol === 'fixed-set') points.push(...(await solverPoints(data, plan, options, context)))
  const name = `fig4-${protocol}-${dataset}`
  if (points.length === 0) throw new Error('Expected stored results but there are none')
  const told = caption(data, options, plan, context, points)
  const svg = draw(points, data, options, told)
  const { seeds, scale } = context
  write(join(context.out, `${name}.svg`), svg)
  write(
    join(context.out, `${name}.json`),
    `${JSON.stringify({ protocol, dataset: data.name, seeds, scale, caption: told, points })}\n`,
  )
  write(
    join(context.out, `${name}.html`),
    page(
      `Test error on ${data.name}: ${titleOf(protocol)}`,
      protocol === 'redrawn'
        ? 'As published: every epoch sees n other samples of the whole training set, so the axis is samples per epoch, and the figure tells how fast each model learns, not how many samples it needs.'
        : 'Every model is trained on the same n samples in all epochs: sample complexity.',
      [{ svg, caption: `Fig. 4, ${titleOf(protocol)}. ${told}` }],
      table(points),
      `npm run paper -- fig4 --protocol ${protocol} --dataset ${dataset}${scale === 'paper' ? '' : ' --quick'}`,
    ),
  )
  for (const { n, model, errors } of points) {
    const { mean, deviation } = spread(errors)
    context.say(
      `${titleOf(protocol)} n ${n} ${model}: ${mean.toFixed(4)} ± ${deviation.toFixed(4)}`,
    )
  }
}

const titleOf = (protocol: CurveOptions['protocol']) =>
  protocol === 'redrawn' ? 'samples redrawn in every epoch' : 'a fixed set of samples'

function caption(
  data: DataSet,
  { protocol }: CurveOptions,
  plan: CurvePlan,
  { scale }: Context,
  points: readonly CurvePoint[],
): string {
  const sizes = [...new Set(points.map(({ n }) => n))].filter((n) => plan.sizes.includes(n))
  const [first = 1] = sizes
  const last = sizes.at(-1) as number
  const counts = points.map(({ errors }) => errors.length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  const seeds = least === most ? `${most}` : `${least} to ${most}`
  const [a, b] = [plan.settings(first), plan.settings(last)]
  const range = (x: number, y: number) =>
    x === y ? `${x}` : `${x} (n = ${first}) to ${y} (n = ${last})`
  const mnist = data.name === 'MNIST'
  const net = mnist ? `MLP of 5 dense layers, width ${plan.width}` : `CNN of width ${plan.width}`
  const rule = mnist ? 'SGD, momentum 0.9' : 'Adam'
  const rate =
    plan.rates.full.length === 1
      ? `rate ${plan.rates.full[0]}`
      : `rate chosen for every model${plan.rateSize === undefined ? ' and n' : ` at n = ${plan.rateSize}`} on 5000 training samples left out`
  const data0 =
    protocol === 'redrawn'
      ? `n of the ${data.train.labels.length} training samples are drawn again for every epoch`
      : 'the same n samples in every epoch'
  const longer = plan.thorough
    ? ', twice as many while the best one is the last, ten times as often at the start where it is the first'
    : ''
  const solver =
    protocol === 'fixed-set'
      ? ` Solver: squared loss on one-hot classes, ridge by the classes missed in ${foldsOf(scale)}-fold cross-validation on the n samples.`
      : ''
  const other = scale === 'paper' ? '' : ' Not at the paper’s scale.'
  return `${net}, ${data0}; cross-entropy, ${rule}, ${rate}, batch ${range(a.batch, b.batch)}, ${range(a.epochs, b.epochs)} epochs, tested every ${range(a.evaluateEvery, b.evaluateEvery)}${longer}; the best tested epoch, chosen on the ${b.testSamples} test samples as in the paper. Mean and deviation of ${seeds} ${most === 1 ? 'seed' : 'seeds'}.${solver}${other}`
}

function draw(
  points: readonly CurvePoint[],
  data: DataSet,
  { protocol, dataset }: CurveOptions,
  note: string,
): string {
  const rows = points.map(({ n, model, errors }) => {
    const { mean, deviation } = spread(errors)
    return { n, model, mean, low: mean - deviation, high: mean + deviation, name: names[model] }
  })
  const old =
    protocol === 'redrawn' && dataset === 'mnist'
      ? (['fixed', 'adaptive', 'full'] as const).flatMap((model) =>
          published.sizes
            .map((n, k) => ({ n, model, mean: published[model][k] as number }))
            .filter(({ n }) => n <= Math.max(...rows.map((row) => row.n))),
        )
      : []
  const sizes = [...new Set([...rows, ...old].map(({ n }) => n))].sort((p, q) => p - q)
  const widest = sizes.at(-1) as number
  const stroke = (row: { model: string }) => colors[row.model] as string
  const ends = [...new Set(rows.map(({ model }) => model))]
    .map((model) => rows.filter((row) => row.model === model).at(-1) as (typeof rows)[number])
    .sort((p, q) => p.mean - q.mean)
  const highest = Math.max(...[...rows.map(({ high }) => high), ...old.map(({ mean }) => mean)])
  const place = ends.map(({ mean }) => mean)
  place.forEach((mean, k) => {
    if (k > 0) place[k] = Math.max(mean, (place[k - 1] as number) + 0.05 * highest)
  })
  return picture(
    `Fig. 4 on ${data.name}, ${titleOf(protocol)}`,
    [
      [
        {
          title: `${data.name}: ${titleOf(protocol)}`,
          width: 640,
          height: 380,
          options: {
            marginLeft: 56,
            marginRight: 120,
            marginBottom: 44,
            marginTop: 26,
            grid: true,
            x: {
              type: 'log',
              domain: [(sizes[0] as number) * 0.9, widest * 1.1],
              ticks: sizes,
              tickFormat: (n: number) => String(n),
              label: protocol === 'redrawn' ? 'n, samples per epoch' : 'n, samples',
              labelAnchor: 'center',
              labelArrow: 'none',
            },
            y: {
              domain: [0, highest * 1.05],
              label: 'test error (%)',
              labelArrow: 'none',
              tickFormat: (e: number) => (100 * e).toFixed(0),
            },
            marks: [
              Plot.line(old, { x: 'n', y: 'mean', stroke, z: 'model', strokeDasharray: '3 3' }),
              Plot.dot(old, { x: 'n', y: 'mean', stroke, r: 3, fill: 'white' }),
              Plot.line(rows, { x: 'n', y: 'mean', stroke, z: 'model', strokeWidth: 1.8 }),
              Plot.ruleX(rows, { x: 'n', y1: 'low', y2: 'high', stroke, strokeWidth: 1.5 }),
              Plot.dot(rows, { x: 'n', y: 'mean', fill: stroke, r: 3.5 }),
              Plot.text(ends, {
                x: () => widest * 1.1,
                y: (_: unknown, k: number) => place[k] as number,
                text: 'name',
                fill: stroke,
                textAnchor: 'start',
                dx: 8,
              }),
            ],
          },
        },
      ],
    ],
    [
      ...(old.length > 0 ? ['Dashed, hollow: read off the published figure (10 seeds).'] : []),
      note,
    ],
  )
}

function table(points: readonly CurvePoint[]) {
  const show = (values: readonly number[]) => {
    const { mean, deviation } = spread(values)
    return `${(100 * mean).toFixed(2)} ± ${(100 * deviation).toFixed(2)}`
  }
  return {
    head: [
      'n',
      'model',
      'seeds',
      'rate or ridge',
      'least test error, %',
      'at epochs',
      'of',
      'last, %',
    ],
    rows: points.map(({ n, model, learningRate, errors, bestEpochs, epochs, last }) => [
      String(n),
      names[model] ?? model,
      String(errors.length),
      String(learningRate),
      show(errors),
      bestEpochs.join(', ') || '–',
      [...new Set(epochs)].join(', ') || '–',
      show(last),
    ]),
  }
}

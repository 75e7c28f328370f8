// Draws figures 1 and 3.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import { type NdArray, readNpy, writeNpy } from 'adaptive-tangent'
import { rasterise } from '../../lib/probe/raster.js'
import { diverging, png, quantile, scaled } from '../../lib/report/raster.js'
import type { Context } from './context.js'
import { readDataSet } from './data.js'
import {
  boundaryPeak,
  type KernelRun,
  type KernelSettings,
  kernelRun,
  paperSettings,
  smoothTarget,
  type Target,
  twosAndThrees,
} from './kernels.js'
import { type Panel, page, picture } from './page.js'
import { write } from './store.js'

export const targets: readonly Target[] = ['smooth', 'sign']
export const named = { smooth: '(a) trained on y', sign: '(b) trained on sign(y)' }
const parts = ['initial', 'average', 'target'] as const
/** Cells on a side of a drawn kernel. */
const cells = 125

export function settingsOf(scale: Context['scale'], seed: number): KernelSettings {
  const full = { ...paperSettings, seed }
  if (scale === 'paper') return full
  if (scale === 'quick') return { ...full, epochs: 60, headEpochs: 200, drawn: 200, points: 20 }
  return { ...full, samples: 600, width: 64, epochs: 60, headEpochs: 60, drawn: 60, points: 25 }
}

interface Result {
  seed: number
  target: Target
  run: KernelRun
}

/** Runs what is not there yet, draws both figures and tells their numbers. */
export async function figures1and3(context: Context): Promise<void> {
  const { out, scale, seeds } = context
  const results = await runs(context)
  const [seed = 1] = seeds
  const settings = settingsOf(scale, seed)
  const shown = results.filter((result) => result.seed === seed)
  const first = await figure1(shown, context)
  const third = figure3(shown)
  write(join(out, 'fig1.svg'), first)
  write(join(out, 'fig3.svg'), third)
  const summary = summaryOf(results)
  write(join(out, 'fig1-fig3.json'), `${JSON.stringify({ settings, summary, results }, rounded)}\n`)
  const { samples, drawn, epochs, points, width } = settings
  const protocol = `Digits 2 and 3 of MNIST, ${samples} of the training set, centred and of norm 1; a 784–${width}–${width}–1 ReLU network, ${epochs} epochs of squared loss (SGD, momentum 0.9, cosine, batch ${settings.batch}); K̄ over ${points} points of the straight path between the weights before and after.`
  write(
    join(out, 'fig1-fig3.html'),
    page(
      'Kernels on a smooth target and on its sign',
      `${protocol} The target y(x) is a frozen random network whose linear head was fitted to ±1. Seed ${seed} is drawn, of ${seeds.length}.`,
      [
        {
          svg: first,
          caption: `Fig. 1. The tangent kernel before training K₀, averaged over the path of training K̄, and the target’s kernel K_ŷ = (ŷ − f₀)(ŷ − f₀)ᵀ, for ${drawn} samples sorted by y. Every kernel is divided by the root mean square of its entries, so that the similarity of two is the mean product of their pictures.`,
        },
        {
          svg: third,
          caption:
            'Fig. 3. The network’s output against y, and the diagonal of K̄ against y and against |sign(y) − y|, for the same samples. Trained on the sign, the features grow where the target is hard for the initial ones: at the boundary.',
        },
      ],
      tableOf(summary, results),
      `npm run paper -- fig1${scale === 'paper' ? '' : ' --quick'}`,
    ),
  )
  for (const target of targets) {
    const { similarity, nearest, largest, residual } = summary[target]
    context.say(
      `${target}: similarity of K̄ with K_ŷ ${similarity.mean.toFixed(3)} ± ${similarity.deviation.toFixed(3)}, K̄'s diagonal near the boundary ${nearest.mean.toFixed(2)} of the median, at most ${largest.mean.toFixed(2)}, residual ${residual.mean.toExponential(1)}`,
    )
  }
}

async function runs(context: Context): Promise<Result[]> {
  const { train } = readDataSet('mnist')
  const results: Result[] = []
  for (const seed of context.seeds) {
    const settings = settingsOf(context.scale, seed)
    const { x, signs } = twosAndThrees(train, settings.samples)
    let y: Promise<Float32Array> | undefined
    for (const target of targets) {
      const name = `kernels-${target}-s${seed}`
      const run = await context.store.once(name, settings, async () => {
        y ??= smoothTarget(x, signs, settings, context.threads)
        context.say(`digits 2 and 3, ${target}, seed ${seed}`)
        const found = await kernelRun(x, await y, target, settings, context)
        await mkdir(context.store.folder, { recursive: true })
        const shape = [settings.drawn, settings.drawn]
        for (const [kernel, data] of Object.entries(found.kernels)) {
          await writeNpy(join(context.store.folder, `${name}-${kernel}.npy`), { data, shape })
        }
        return found.run
      })
      results.push({ seed, target, run })
    }
  }
  return results
}

/** Five digits are enough for a figure. */
const rounded = (_: string, value: unknown) =>
  typeof value === 'number' ? Number(value.toPrecision(5)) : value

interface Spread {
  mean: number
  deviation: number
}

type Summary = Record<
  Target,
  Record<'similarity' | 'initial' | 'kept' | 'nearest' | 'largest' | 'residual', Spread>
>

function summaryOf(results: readonly Result[]): Summary {
  const of = (target: Target): Summary[Target] => {
    const own = results.filter((result) => result.target === target).map(({ run }) => run)
    return {
      similarity: spread(own.map(({ alignment }) => alignment.averageTarget)),
      initial: spread(own.map(({ alignment }) => alignment.initialTarget)),
      kept: spread(own.map(({ alignment }) => alignment.averageInitial)),
      nearest: spread(own.map((run) => boundaryPeak(run).nearest)),
      largest: spread(own.map((run) => boundaryPeak(run).largest)),
      residual: spread(own.map(({ residual }) => residual)),
    }
  }
  return { smooth: of('smooth'), sign: of('sign') }
}

export function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: values.length > 1 ? Math.sqrt(square / (values.length - 1)) : 0 }
}

function tableOf(summary: Summary, results: readonly Result[]) {
  const cell = ({ mean, deviation }: Spread, digits: number) =>
    `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`
  const row = (
    name: string,
    key: keyof Summary[Target],
    digits: number,
    paper: [string, string],
  ) => [
    name,
    ...targets.flatMap((target, at) => [cell(summary[target][key], digits), paper[at] as string]),
  ]
  const seeds = new Set(results.map(({ seed }) => seed)).size
  return {
    head: [`${seeds} seeds, mean ± deviation`, named.smooth, 'paper', named.sign, 'paper'],
    rows: [
      row('similarity of K̄ and K_ŷ', 'similarity', 3, ['0.17', '0.40']),
      row('similarity of K₀ and K_ŷ', 'initial', 3, ['–', '–']),
      row('similarity of K̄ and K₀', 'kept', 3, ['–', '–']),
      row('diag K̄, nearest 5 % ÷ median', 'nearest', 2, ['–', '–']),
      row('diag K̄, maximum ÷ median', 'largest', 2, ['–', 'about 4 to 5']),
      row('residual of f₁ − f₀ = F̄Δθ', 'residual', 4, ['–', '–']),
    ],
  }
}

async function figure1(shown: readonly Result[], { store, scale }: Context): Promise<string> {
  const rows: Panel[][] = []
  const ends: string[] = []
  for (const { seed, target, run } of shown) {
    const order = [...run.y.keys()].sort((a, b) => (run.y[a] as number) - (run.y[b] as number))
    const kernels = await Promise.all(
      parts.map((part) => readNpy(join(store.folder, `kernels-${target}-s${seed}-${part}.npy`))),
    )
    const rasters = kernels.map(({ data }: NdArray) => {
      const matrix = data as Float32Array
      const size = Math.sqrt(matrix.reduce((sum, value) => sum + value * value, 0) / matrix.length)
      return scaled(rasterise(matrix, order, cells), size)
    })
    const { averageTarget, initialTarget } = run.alignment
    const titles = [
      `${named[target]}: K₀, similarity ${initialTarget.toFixed(2)}`,
      `K̄, similarity ${averageTarget.toFixed(2)}`,
      'K_ŷ',
    ]
    const end = quantile(
      rasters.flatMap(({ values }) => values.map(Math.abs)),
      0.995,
    )
    const colors = diverging(Math.min(end, 4))
    ends.push(Math.min(end, 4).toFixed(1))
    rows.push(
      rasters.map(({ size, values }, k) => ({
        title: titles[k] as string,
        width: 300,
        height: 296,
        options: {
          marginTop: 2,
          marginLeft: 34,
          marginBottom: 38,
          marginRight: 4,
          x: {
            domain: [0, run.y.length],
            label: 'sample, sorted by y',
            labelAnchor: 'center',
            labelArrow: 'none',
            ticks: 5,
          },
          y: { domain: [run.y.length, 0], label: null, ticks: 5 },
          marks: [
            Plot.image([0], {
              x: run.y.length / 2,
              y: run.y.length / 2,
              width: 262,
              height: 256,
              src: () => png(size, size, values, colors),
              preserveAspectRatio: 'none',
              imageRendering: 'pixelated',
            }),
          ],
        },
      })),
    )
  }
  return picture(
    'Fig. 1: kernels K₀, K̄ and K_ŷ of digits 2 and 3, sorted by the smooth target y',
    rows,
    [
      `Similarity: with K_ŷ, ⟨K, K_ŷ⟩ ÷ (‖K‖ ‖K_ŷ‖), not centred. Red above zero, blue below; every kernel divided by the root mean square of its entries, colours from −${ends[0]} to ${ends[0]} in (a), −${ends[1]} to ${ends[1]} in (b).${scale === 'paper' ? '' : ' Not at the paper’s scale.'}`,
    ],
  )
}

function figure3(shown: readonly Result[]): string {
  const rows = shown.map(({ target, run }): Panel[] => {
    const { y, output, diagonal } = run
    const points = y.map((value, i) => ({
      y: value,
      output: output[i] as number,
      diagonal: diagonal[i] as number,
      margin: Math.abs(Math.sign(value) - value),
    }))
    const most = Math.max(...y.map(Math.abs)) * 1.05
    const wanted = (value: number) => (target === 'sign' ? Math.sign(value) : value)
    const line = [-most, -1e-9, 1e-9, most].map((value) => ({ y: value, wanted: wanted(value) }))
    const dot = { r: 1.8, fill: '#c2410c', fillOpacity: 0.55 }
    const axis = { labelAnchor: 'center', labelArrow: 'none' } as const
    const frame = { width: 300, height: 250 }
    const shared = { grid: true, marginLeft: 44, marginBottom: 38, marginTop: 22 }
    return [
      {
        ...frame,
        title: `${named[target]}: output`,
        options: {
          ...shared,
          x: { ...axis, label: 'y(x)', domain: [-most, most] },
          y: { label: 'f(x; θ₁); line: the target', labelArrow: 'none' },
          marks: [
            Plot.line(line, { x: 'y', y: 'wanted', stroke: '#1d4ed8', strokeWidth: 1.2 }),
            Plot.dot(points, { x: 'y', y: 'output', ...dot, r: 1.6 }),
          ],
        },
      },
      {
        ...frame,
        title: 'K̄(x, x) along y',
        options: {
          ...shared,
          x: { ...axis, label: 'y(x)', domain: [-most, most] },
          y: { label: 'K̄(x, x)', labelArrow: 'none', zero: true },
          marks: [Plot.dot(points, { x: 'y', y: 'diagonal', ...dot })],
        },
      },
      {
        ...frame,
        title: 'K̄(x, x) against the margin',
        options: {
          ...shared,
          x: { ...axis, label: '|sign(y) − y|', ticks: 5 },
          y: { label: 'K̄(x, x)', labelArrow: 'none', zero: true },
          marks: [Plot.dot(points, { x: 'margin', y: 'diagonal', ...dot })],
        },
      },
    ]
  })
  return picture('Fig. 3: outputs and the diagonal of the averaged kernel', rows)
}

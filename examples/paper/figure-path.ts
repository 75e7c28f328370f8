// Draws the loss, the kernels and the linearisations along the straight path of training.
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import type { Context } from './context.js'
import { readDataSet } from './data.js'
import { named, settingsOf, spread, targets } from './figure13.js'
import { smoothTarget, type Target, twosAndThrees } from './kernels.js'
import { type Panel, page, picture } from './page.js'
import { type PathPoint, pathRun } from './path.js'
import { write } from './store.js'

const measures = ['loss', 'heldOut', 'target', 'initial', 'trace', 'signal'] as const
type Measure = (typeof measures)[number]
const colors: Record<Target, string> = { smooth: '#1d4ed8', sign: '#c2410c' }

interface Curve {
  target: Target
  points: PathPoint[]
}

/** Runs what is not there yet, draws the figure and tells its numbers. */
export async function figurePath(context: Context): Promise<void> {
  const { out, scale, seeds } = context
  const runs = await runsOf(context)
  const curves = targets.map((target): Curve => {
    const own = runs.filter((run) => run.target === target).map(({ points }) => points)
    const points = (own[0] as PathPoint[]).map((point, k) => {
      const means = measures.map((name) => {
        return [name, spread(own.map((run) => (run[k] as PathPoint)[name])).mean] as const
      })
      return { ...point, ...Object.fromEntries(means) }
    })
    return { target, points }
  })
  const svg = draw(curves, scale)
  write(join(out, 'path.svg'), svg)
  const settings = pathSettings(scale, seeds[0] ?? 1)
  write(join(out, 'path.json'), `${JSON.stringify({ settings, seeds, curves }, rounded)}\n`)
  const shown = [0, 0.1, 0.25, 0.5, 0.75, 1]
  const rows = curves.flatMap(({ target, points }) =>
    shown.map((t) => {
      const point = points.reduce((a, b) => (Math.abs(b.t - t) < Math.abs(a.t - t) ? b : a))
      return [named[target], ...[point.t, ...measures.map((name) => point[name])].map(digits)]
    }),
  )
  write(
    join(out, 'path.html'),
    page(
      'Along the straight path of training',
      'Digits 2 and 3, the network and the targets of figure 1, at θ_t = (1 − t)θ0 + tθ1.',
      [{ svg, caption: 'The loss, the tangent kernel at θ_t, and the linearisation there.' }],
      { head: ['', 't', ...measures], rows },
      `npm run paper -- path${scale === 'paper' ? '' : ' --quick'}`,
    ),
  )
  for (const row of rows) context.say(row.join('  '))
}

const digits = (value: number) => value.toPrecision(3)
const rounded = (_: string, value: unknown) =>
  typeof value === 'number' ? Number(value.toPrecision(4)) : value

const pathSettings = (scale: Context['scale'], seed: number) => ({
  ...settingsOf(scale, seed),
  points: 20,
})

async function runsOf({ scale, seeds, store, threads, say }: Context) {
  const { train } = readDataSet('mnist')
  const runs: (Curve & { seed: number })[] = []
  for (const seed of seeds) {
    const settings = pathSettings(scale, seed)
    const { x, signs } = twosAndThrees(train, settings.samples + Math.min(settings.samples, 2000))
    let y: Promise<Float32Array> | undefined
    for (const target of targets) {
      const points = await store.once(`path-${target}-s${seed}`, settings, async () => {
        y ??= smoothTarget(x, signs, settings, threads)
        say(`digits 2 and 3, ${target}, seed ${seed}`)
        return pathRun(x, await y, target, settings, { threads, say })
      })
      runs.push({ seed, target, points })
    }
  }
  return runs
}

function draw(curves: readonly Curve[], scale: Context['scale']): string {
  const lines = (name: Measure, dash: string) =>
    curves.map(({ target, points }) =>
      Plot.line(points, {
        x: 't',
        y: name,
        stroke: colors[target],
        strokeDasharray: dash,
        strokeWidth: 1.8,
      }),
    )
  const panel = (title: string, y: Plot.ScaleOptions, marks: Plot.Markish[]): Panel => ({
    title,
    width: 300,
    height: 260,
    options: {
      grid: true,
      marginLeft: 52,
      marginBottom: 40,
      marginTop: 26,
      x: { label: 't', labelAnchor: 'center', labelArrow: 'none', ticks: 5 },
      y: { labelArrow: 'none', ...y },
      marks,
    },
  })
  const losses = curves.flatMap(({ points }) => points.map(({ loss }) => loss))
  const least = 10 ** Math.floor(Math.log10(Math.min(...losses)))
  return picture(
    'The straight path from the weights before to those after training',
    [
      [
        panel(
          'Loss at θ_t',
          {
            type: 'log',
            label: 'mean ½(f − y)²',
            ticks: [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1].filter((tick) => tick >= least),
            tickFormat: String,
            domain: [least, 1],
          },
          [...lines('loss', 'none'), ...lines('heldOut', '4 3')],
        ),
        panel('Kernel at θ_t', { label: 'similarity', domain: [0, 1] }, [
          ...lines('target', 'none'),
          ...lines('initial', '4 3'),
        ]),
        panel(
          'Linearisation at θ_t',
          { label: 'signal-to-noise, dB', zero: true },
          lines('signal', 'none'),
        ),
      ],
    ],
    [
      'Blue: trained on y; orange: on sign(y). Loss: solid on the samples trained on, dashed on others. Kernel: solid with K_ŷ, dashed with K₀. Signal-to-noise of f₁ − f₀ ≈ F_tΔθ.',
      ...(scale === 'paper' ? [] : ['Not at the paper’s scale.']),
    ],
  )
}

// Draws the errors of fixed and adaptive eigenvalues and tells their rates.
import { join } from 'node:path'
import * as Plot from '@observablehq/plot'
import type { Context } from './context.js'
import { spread } from './figure13.js'
import { type Panel, page, picture } from './page.js'
import {
  flows,
  models,
  type RateSettings,
  type SampleSettings,
  sampleErrors,
  sequenceErrors,
} from './sequence.js'
import { write } from './store.js'

const colors = ['#111827', '#1d4ed8', '#c2410c', '#7c3aed']
const named = (depth: number | 'fixed') => (depth === 'fixed' ? 'fixed' : `D = ${depth}`)
const targets = ['aligned', 'misaligned', 'sparse'] as const
type Target = (typeof targets)[number]

function settingsOf(scale: Context['scale'], name: Target): Omit<RateSettings, 'seed'> {
  const epsilons = scale === 'tiny' ? [0.03, 0.015] : [0.08, 0.04, 0.02, 0.01, 0.005]
  const model = { gamma: 1.5, epsilons }
  if (name === 'sparse') {
    return { ...model, target: { size: 2, at: [12, 32, 52, 72, 92, 112, 132] }, count: 400 }
  }
  const q = name === 'aligned' ? 1 : 2
  const counts = { tiny: [900, 900], quick: [1000, 4000], paper: [3000, 10_000] }[scale]
  return { ...model, target: { p: 1, q }, count: counts[q - 1] as number }
}

function samplesOf(scale: Context['scale']): Omit<SampleSettings, 'seed'> {
  const target = [
    [23, 0.8],
    [41, 0.6],
    [67, 0.4],
  ] as const
  const shared = { noise: 0.3, target }
  if (scale === 'tiny') return { ...shared, samples: 80, unlabelled: 90, test: 60, count: 70 }
  return { ...shared, samples: 200, unlabelled: 1000, test: 1000, count: 400 }
}

interface Rates {
  target: Target
  depth: number | 'fixed'
  time: 'risk' | 'rate'
  /** Exponent of the error's power of ε that least squares gives, and the theory's, where there is one. */
  slope: number
  theory: number | null
  /** Mean over seeds, one for each ε. */
  errors: number[]
}

/** Runs what is not there yet, draws the figure and tells its numbers. */
export async function figureSequence(context: Context): Promise<void> {
  const { out, scale, seeds, store, threads, say } = context
  const rates: Rates[] = []
  for (const name of targets) {
    const settings = settingsOf(scale, name)
    const runs: number[][][] = []
    for (const seed of seeds) {
      say(`${name}, seed ${seed}`)
      const own = { ...settings, seed }
      runs.push(
        await store.once(`sequence-${name}-s${seed}`, own, () => sequenceErrors(own, threads)),
      )
    }
    const { epsilons, target } = settings
    for (const [k, { depth, time }] of flows.entries()) {
      const errors = epsilons.map((_, e) => spread(runs.map((run) => run[k]?.[e] as number)).mean)
      const theory =
        'at' in target ? null : (2 * target.p) / (target.p + (depth === 'fixed' ? target.q : 1))
      rates.push({ target: name, depth, time, slope: slopeOf(epsilons, errors), theory, errors })
    }
  }
  const samples = samplesOf(scale)
  const runs: number[][] = []
  for (const seed of seeds) {
    say(`samples, seed ${seed}`)
    const own = { ...samples, seed }
    runs.push(await store.once(`samples-s${seed}`, own, () => sampleErrors(own, threads)))
  }
  const onSamples = models.map((model, k) => ({
    model,
    ...spread(runs.map((run) => run[k] as number)),
  }))
  const { epsilons } = settingsOf(scale, 'aligned')
  const svg = draw(rates, epsilons, onSamples, scale)
  write(join(out, 'sequence.svg'), svg)
  const settings = { rates: targets.map((name) => settingsOf(scale, name)), samples, seeds }
  write(join(out, 'sequence.json'), `${JSON.stringify({ settings, rates, onSamples }, rounded)}\n`)
  const command = `npm run paper -- sequence${scale === 'paper' ? '' : ' --quick'}`
  write(join(out, 'sequence.html'), pageOf(svg, rates, epsilons, command))
  for (const { target, depth, time, slope, theory } of rates) {
    say(
      `${target}, ${named(depth)}, by ${time}: ε^${slope.toFixed(2)}, theory ${theory?.toFixed(2) ?? '–'}`,
    )
  }
  for (const { model, mean, deviation } of onSamples) {
    say(`${model}: ${mean.toFixed(4)} ± ${deviation.toFixed(4)}`)
  }
}

const rounded = (_: string, value: unknown) =>
  typeof value === 'number' ? Number(value.toPrecision(4)) : value

function slopeOf(epsilons: readonly number[], errors: readonly number[]): number {
  const [x, y] = [epsilons.map(Math.log), errors.map(Math.log)]
  const [a, b] = [spread(x).mean, spread(y).mean]
  const top = x.reduce((sum, value, i) => sum + (value - a) * ((y[i] as number) - b), 0)
  return top / x.reduce((sum, value) => sum + (value - a) ** 2, 0)
}

function draw(
  rates: readonly Rates[],
  epsilons: readonly number[],
  onSamples: readonly { model: string; mean: number; deviation: number }[],
  scale: Context['scale'],
): string {
  const axis = { labelAnchor: 'center', labelArrow: 'none' } as const
  const panels = targets.slice(0, 2).map((name): Panel => {
    const points = rates
      .filter(({ target }) => target === name)
      .flatMap(({ depth, time, errors }) =>
        errors.map((error, e) => ({ epsilon: epsilons[e] as number, error, depth, time })),
      )
    const color = ({ depth }: { depth: number | 'fixed' }) =>
      colors[depth === 'fixed' ? 0 : [0, 1, 3].indexOf(depth) + 1] as string
    const lines = (time: string, dash: string) =>
      Plot.line(
        points.filter((point) => point.time === time),
        {
          x: 'epsilon',
          y: 'error',
          z: 'depth',
          stroke: color,
          strokeWidth: 1.8,
          strokeDasharray: dash,
        },
      )
    return {
      title: `${name} target (q = ${name === 'aligned' ? 1 : 2})`,
      width: 330,
      height: 300,
      options: {
        grid: true,
        marginLeft: 52,
        marginBottom: 40,
        marginTop: 26,
        x: {
          type: 'log',
          ...axis,
          label: 'noise ε',
          ticks: [0.005, 0.01, 0.02, 0.04, 0.08],
          tickFormat: String,
        },
        y: {
          type: 'log',
          label: 'Σ (θ − θ*)²',
          labelArrow: 'none',
          domain: [0.006, 1],
          ticks: [0.01, 0.03, 0.1, 0.3, 1],
          tickFormat: String,
        },
        marks: [
          lines('risk', 'none'),
          lines('rate', '4 3'),
          Plot.dot(
            points.filter(({ time }) => time === 'risk'),
            { x: 'epsilon', y: 'error', r: 2.5, fill: color },
          ),
        ],
      },
    }
  })
  const bars: Panel = {
    title: 'On samples',
    width: 520,
    height: 300,
    options: {
      marginLeft: 300,
      marginBottom: 40,
      marginTop: 26,
      x: {
        type: 'log',
        ...axis,
        label: 'mean squared error at new inputs',
        ticks: [0.001, 0.01, 0.1, 1],
        tickFormat: String,
        domain: [0.001, 1],
        grid: true,
      },
      y: { label: null, domain: [...models] },
      marks: [
        Plot.ruleY(onSamples, {
          y: 'model',
          x1: ({ mean, deviation }) => Math.max(mean - deviation, 0.001),
          x2: ({ mean, deviation }) => mean + deviation,
          stroke: '#9ca3af',
          strokeWidth: 3,
        }),
        Plot.dot(onSamples, { y: 'model', x: 'mean', r: 4.5, fill: '#c2410c' }),
      ],
    },
  }
  return picture(
    'Errors of fixed and adaptive eigenvalues',
    [[...panels, bars]],
    [
      'Left and middle: the sequence model, black: fixed eigenvalues; blue: adaptive, D = 0; orange: D = 1; violet: D = 3. Solid: stopped where the estimated risk is least; dashed: by the rule 1/ε. Right: 200 samples of a function in three eigenfunctions, noise 0.3; bars are the deviation over seeds.',
      ...(scale === 'paper' ? [] : ['Not at full scale.']),
    ],
  )
}

function pageOf(
  svg: string,
  rates: readonly Rates[],
  epsilons: readonly number[],
  command: string,
): string {
  return page(
    'Adaptive eigenvalues',
    'Gradient flow on the coefficients alone, and on coefficients and eigenvalues together (Li & Lin 2024).',
    [{ svg, caption: 'Errors by noise, and on samples.' }],
    {
      head: [
        'target',
        'eigenvalues',
        'stopped by',
        'exponent',
        'theory',
        ...epsilons.map((e) => `ε = ${e}`),
      ],
      rows: rates.map(({ target, depth, time, slope, theory, errors }) => [
        target,
        named(depth),
        time,
        slope.toFixed(2),
        theory?.toFixed(2) ?? '–',
        ...errors.map((error) => error.toPrecision(3)),
      ]),
    },
    command,
  )
}

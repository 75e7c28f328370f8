import type { ProbeCheckpoint, ProbeTraining } from '../probe/training-types.js'
import { figure } from './figure.js'
import { logTick, num, tick, whole } from './format.js'
import { html, type Markup } from './html.js'
import { legendOf } from './legend.js'
import { Plot } from './libraries.js'

/** One line of a figure over the checkpoints. */
export interface Curve {
  label: string
  color: string
  dash?: string | undefined
  value(checkpoint: ProbeCheckpoint): number | null | undefined
  /** Standard error, of which twice is drawn on both sides. */
  error?: ((checkpoint: ProbeCheckpoint) => number | null | undefined) | undefined
}

/** Checkpoints that a curve is drawn through at most, and a small one. */
const pointLimit = 200
const smallLimit = 60

/** The horizontal axis: steps where all checkpoints have one and they rise, else their places. */
export function axisOf({ checkpoints }: ProbeTraining): {
  label: string
  at(checkpoint: ProbeCheckpoint): number
} {
  const rising = checkpoints.every(
    ({ step }, i) => step !== null && (i === 0 || step > (checkpoints[i - 1]?.step ?? step)),
  )
  // A start without a file of its own is epoch 0 as well as step 0.
  const epochs = checkpoints.every(({ step, unit }) => unit === 'epoch' || step === 0)
  return rising
    ? { label: epochs ? 'epoch' : 'step', at: ({ step }) => step as number }
    : { label: 'checkpoint', at: ({ index }) => index }
}

/** Evenly over all, the first and the last among them. */
export function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all]
  const step = (all.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, at) => all[Math.round(at * step)] as T)
}

export interface CurveOptions {
  id: string
  title: string
  width: number
  height: number
  /** Limits of the vertical axis; default: those of the values, and 0. */
  domain?: readonly [number, number] | undefined
  log?: boolean | undefined
  /** What the values are, on the vertical axis. */
  unit: string
  /** A small multiple: two ticks, no names on the axes, which the row of them has. */
  small?: boolean | undefined
}

interface Point {
  x: number
  value: number
  label: string
  color: string
  dash: string
  error: number
}

function pointsOf(
  training: ProbeTraining,
  curves: readonly Curve[],
  log: boolean,
  most = pointLimit,
): Point[] {
  const { at } = axisOf(training)
  const drawn = evenly(training.checkpoints, most)
  return curves.flatMap(({ label, color, dash = 'none', value, error }) =>
    drawn.flatMap((checkpoint) => {
      const found = value(checkpoint)
      if (found === null || found === undefined || (log && found <= 0)) return []
      return [
        { x: at(checkpoint), value: found, label, color, dash, error: error?.(checkpoint) ?? 0 },
      ]
    }),
  )
}

/** Lowest and highest value of curves, 0 among them unless the axis is logarithmic. */
export function rangeOf(
  training: ProbeTraining,
  curves: readonly Curve[],
  log = false,
): [number, number] | undefined {
  const values = pointsOf(training, curves, log).map(({ value }) => value)
  if (values.length === 0) return undefined
  const [low, high] = [Math.min(...values), Math.max(...values)]
  if (log) return low < high ? [low, high] : [low / 2, high * 2]
  return [Math.min(0, low), high > Math.min(0, low) ? Math.max(high, 0) : 1]
}

/** Lines over the checkpoints; null where no value is defined. */
export function curveFigure(
  training: ProbeTraining,
  curves: readonly Curve[],
  { id, title, width, height, domain, unit, log = false, small = false }: CurveOptions,
): Markup | null {
  const most = small ? smallLimit : pointLimit
  const points = pointsOf(training, curves, log, most)
  if (points.length === 0) return null
  const range = domain ?? rangeOf(training, curves, log)
  const axis = axisOf(training)
  const ends = curves.flatMap(({ label }) => {
    const own = points.filter((point) => point.label === label)
    const [first, last] = [own[0], own.at(-1)]
    return first && last ? [`${label}: from ${num(first.value)} to ${num(last.value)}.`] : []
  })
  const alone = training.checkpoints.length === 1
  const drawn = evenly(training.checkpoints, most)
  const errors = curves.filter(({ error }) => error)
  const rows = drawn.map((checkpoint) => [
    axis.at(checkpoint),
    ...curves.map(({ value }) => rounded(value(checkpoint))),
    ...errors.map(({ error }) => rounded(error?.(checkpoint))),
  ])
  const chart = figure({
    id,
    title,
    description: ends.join(' '),
    values: {
      columns: [
        axis.label,
        ...curves.map(({ label }) => label),
        ...errors.map(({ label }) => `± ${label}`),
      ],
      rows,
      hover: 'x',
      place: (row, column, scale) => {
        if (column > curves.length) return null
        const value = rows[row]?.[column] ?? Number.NaN
        return log && value <= 0 ? null : [scale('x', rows[row]?.[0]), scale('y', value)]
      },
      colors: curves.map(({ color }) => color),
    },
    width,
    height,
    marginLeft: small ? 42 : 50,
    marginRight: small ? 6 : 12,
    marginTop: small ? 6 : 26,
    marginBottom: small ? 20 : 38,
    x: {
      label: small ? null : axis.label,
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: small ? 2 : 5,
      tickFormat: (value: number) => (Number.isInteger(value) ? whole(value) : ''),
    },
    y: {
      ...(range ? { domain: range } : {}),
      type: log ? 'log' : 'linear',
      label: small ? null : unit,
      labelArrow: 'none',
      grid: true,
      ticks: small ? 2 : 5,
      tickFormat: log ? logTick : tick,
    },
    marks: [
      ...(log ? [] : [Plot.ruleY([0], { stroke: 'var(--line)' })]),
      Plot.areaY(
        points.filter(({ error }) => error > 0),
        {
          ...{ x: 'x', z: 'label', fill: 'color', fillOpacity: 0.16 },
          y1: (point: Point) => point.value - 2 * point.error,
          y2: (point: Point) => point.value + 2 * point.error,
        },
      ),
      ...[...new Set(points.map(({ dash }) => dash))].map((dash) =>
        Plot.line(
          points.filter((point) => point.dash === dash),
          {
            x: 'x',
            y: 'value',
            z: 'label',
            stroke: 'color',
            strokeWidth: small ? 1.6 : 2,
            strokeDasharray: dash,
            title: 'label',
          },
        ),
      ),
      Plot.dot(alone ? points : [], { x: 'x', y: 'value', r: 3, fill: 'color' }),
    ],
  })
  return small || curves.length < 2 ? chart : html`${legendOf(curves)}${chart}`
}

/** To 6 significant digits: what is drawn needs no more. */
const rounded = (value: number | null | undefined) =>
  value === null || value === undefined ? null : Number(value.toPrecision(6))

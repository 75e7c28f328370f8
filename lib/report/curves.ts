import type { ProbeCheckpoint, ProbeTraining } from '../probe/training-types.js'
import { figure } from './figure.js'
import { num, superscript } from './format.js'
import type { Markup } from './html.js'
import { Plot } from './libraries.js'

/** One line of a figure over the checkpoints. */
export interface Curve {
  label: string
  color: string
  dash?: string | undefined
  value(checkpoint: ProbeCheckpoint): number | null | undefined
}

/** Checkpoints that a curve is drawn through at most. */
const pointLimit = 200

/** The horizontal axis: steps where all checkpoints have one and they rise, else their places. */
export function axisOf({ checkpoints }: ProbeTraining): {
  label: string
  at(checkpoint: ProbeCheckpoint): number
} {
  const rising = checkpoints.every(
    ({ step }, i) => step !== null && (i === 0 || step > (checkpoints[i - 1]?.step ?? step)),
  )
  return rising
    ? { label: 'step', at: ({ step }) => step as number }
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
  /** A small multiple: two ticks, no names on the axes. */
  small?: boolean | undefined
}

interface Point {
  x: number
  value: number
  label: string
  color: string
  dash: string
}

function pointsOf(training: ProbeTraining, curves: readonly Curve[], log: boolean): Point[] {
  const { at } = axisOf(training)
  const drawn = evenly(training.checkpoints, pointLimit)
  return curves.flatMap(({ label, color, dash = 'none', value }) =>
    drawn.flatMap((checkpoint) => {
      const found = value(checkpoint)
      if (found === null || found === undefined || (log && found <= 0)) return []
      return [{ x: at(checkpoint), value: found, label, color, dash }]
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
  { id, title, width, height, domain, log = false, small = false }: CurveOptions,
): Markup | null {
  const points = pointsOf(training, curves, log)
  if (points.length === 0) return null
  const range = domain ?? rangeOf(training, curves, log)
  const axis = axisOf(training)
  const ends = curves.flatMap(({ label }) => {
    const own = points.filter((point) => point.label === label)
    const [first, last] = [own[0], own.at(-1)]
    return first && last ? [`${label}: from ${num(first.value)} to ${num(last.value)}.`] : []
  })
  const alone = training.checkpoints.length === 1
  return figure({
    id,
    title,
    description: ends.join(' '),
    width,
    height,
    marginLeft: small ? 42 : 46,
    marginRight: small ? 6 : 12,
    marginTop: small ? 6 : 10,
    marginBottom: small ? 20 : 38,
    x: {
      label: small ? null : axis.label,
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: small ? 2 : 5,
      tickFormat: (value: number) => (Number.isInteger(value) ? String(value) : ''),
    },
    y: {
      ...(range ? { domain: range } : {}),
      type: log ? 'log' : 'linear',
      label: null,
      grid: true,
      ticks: small ? 2 : 5,
      tickFormat: (value: number) => (log ? powerOfTen(value) : num(value, 2)),
    },
    marks: [
      ...(log ? [] : [Plot.ruleY([0], { stroke: 'var(--line)' })]),
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
          },
        ),
      ),
      Plot.dot(alone ? points : [], { x: 'x', y: 'value', r: 3, fill: 'color' }),
    ],
  })
}

function powerOfTen(value: number): string {
  const exponent = Math.log10(value)
  if (Math.abs(exponent - Math.round(exponent)) > 1e-9) return ''
  return exponent >= -2 && exponent <= 3
    ? String(Number(value.toPrecision(1)))
    : `10${superscript(Math.round(exponent))}`
}

import type { OpCase } from './check.js'
import { count, type Domain, type Draw } from './draw.js'

export function randomShape(d: Draw, rank: number, most = 3): number[] {
  return Array.from({ length: rank }, () => d.random.integer(1, most))
}

/** `shape` with some axes of size 1. */
function thinned(d: Draw, shape: readonly number[]): number[] {
  return shape.map((size) => (d.random.chance(0.3) ? 1 : size))
}

/** A parameter that broadcasts to (n, …shape) with the batch at `axis`: any tail, axes of size 1. */
export function smaller(d: Draw, shape: readonly number[], axis: number, domain?: Domain): string {
  const whole = [...shape]
  whole.splice(axis, 0, 1)
  const rank = d.random.integer(0, whole.length)
  return d.parameter(thinned(d, whole.slice(whole.length - rank)), domain)
}

/**
 * An operator of several operands that are broadcast: activations and parameters in any order and
 * shape, the batch anywhere.
 */
function broadcasting(
  op: string,
  operands: (d: Draw) => readonly (Domain | undefined)[],
  options: Partial<OpCase> & { attributes?: Record<string, number> } = {},
): OpCase {
  const { attributes, ...rest } = options
  return {
    op,
    ...rest,
    draw(d) {
      const domains = operands(d)
      const shape = randomShape(d, d.random.integer(0, 3))
      const axis = d.random.integer(0, shape.length)
      const whole = d.random.integer(0, domains.length - 1)
      const inputs = domains.map((domain, k) => {
        if (k === whole) return d.moved(shape, axis, domain)
        if (d.random.chance(0.4)) return d.moved(thinned(d, shape), axis, domain)
        return smaller(d, shape, axis, domain)
      })
      const y = d.node(op, inputs, attributes ?? {})
      return d.moveBatch(y, shape.length + 1, axis, 0)
    },
  }
}

const any = undefined
const several = (d: Draw) => Array.from({ length: d.random.integer(1, 4) }, () => any)

export const arithmetic: readonly OpCase[] = [
  broadcasting('Add', () => [any, any], { opsets: [9, 13, 14] }),
  broadcasting('Sub', () => [any, any], { opsets: [9, 13, 14] }),
  broadcasting('Mul', () => [any, any], { opsets: [9, 13, 14] }),
  broadcasting('Div', () => [any, { low: 0.5, high: 2 }], { opsets: [9, 13, 14] }),
  broadcasting('Sum', several, { opsets: [9, 13] }),
  broadcasting('Mean', several, { opsets: [9, 13] }),
  broadcasting(
    'Mod',
    () => [
      { low: 0.1, high: 0.9 },
      { low: 1, high: 2 },
    ],
    {
      opsets: [10, 13],
      attributes: { fmod: 1 },
    },
  ),
  { op: 'Max', opsets: [9, 13], draw: (d) => extremum(d, 'Max') },
  { op: 'Min', opsets: [9, 13], draw: (d) => extremum(d, 'Min') },
  {
    op: 'Pow',
    opsets: [9, 12, 13, 15],
    draw(d) {
      const shape = randomShape(d, d.random.integer(0, 3))
      const base = d.activation(shape, { low: 0.4, high: 2 })
      const kind = d.random.integer(0, 4)
      if (kind === 4) {
        // An exponent that is a parameter: one number, or broadcast.
        return d.node('Pow', [base, smaller(d, shape, 0, { low: -2, high: 3 })])
      }
      if (kind === 0)
        return d.node('Pow', [base, d.initializer([], [d.random.pick([2, 3, 0.5, -1, 0])])])
      if (kind === 1) {
        const last = shape.slice(-1)
        const data = Array.from({ length: count(last) }, () => d.random.normal())
        return d.node('Pow', [base, d.initializer(last, data)])
      }
      if (kind === 2 && d.opset >= 12)
        return d.node('Pow', [base, d.integers([3, 2].slice(0, 1), [])])
      // An exponent that is computed is differentiated.
      return d.node('Pow', [base, d.node('Neg', [d.activation(shape)])])
    },
    edges: [
      {
        // Squares of negative numbers.
        draw: (d) => d.node('Pow', [d.activation([4]), d.initializer([], [2])]),
      },
      {
        // A weight as exponent and as factor: x^p + p·x, the whole derivative.
        draw(d) {
          const p = d.parameter([1], { low: 2, high: 3 })
          const x = d.activation([3], { low: 0.4, high: 2 })
          return d.node('Add', [d.node('Pow', [x, p]), d.node('Mul', [p, x])])
        },
      },
      {
        // One number as base and as exponent.
        mode: 'unbatched',
        draw(d) {
          const p = d.parameter([2], { low: 0.5, high: 2 })
          return d.node('Pow', [p, p])
        },
      },
    ],
  },
  {
    op: 'PRelu',
    opsets: [9, 16],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3))
      const x = d.activation(shape, { avoid: [0] })
      const tail = shape.slice(d.random.integer(0, shape.length))
      return d.node('PRelu', [x, d.parameter(thinned(d, tail))])
    },
  },
  {
    op: 'Where',
    opsets: [9, 16],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3))
      const chosen = (size: number) => Array.from({ length: size }, () => d.random.chance())
      const small = thinned(d, shape)
      const condition =
        d.mode === 'unbatched' || d.random.chance()
          ? d.booleans(small, chosen(count(small)))
          : d.input(shape, chosen(d.n * count(shape)).map(Number), 'bool')
      const operands = [
        d.activation(shape),
        d.random.chance() ? smaller(d, shape, 0) : d.activation(thinned(d, shape)),
      ]
      if (d.random.chance()) operands.reverse()
      return d.node('Where', [condition, ...operands])
    },
  },
  {
    op: 'Clip',
    opsets: [9, 11, 13],
    draw(d) {
      const x = d.activation(randomShape(d, d.random.integer(0, 3), 4), { avoid: [-0.5, 1] })
      const [low, high] = [d.random.chance(0.7), d.random.chance(0.7)]
      if (d.opset < 11) {
        return d.node('Clip', [x], {
          ...(low ? { min: { f: -0.5 } } : {}),
          ...(high ? { max: { f: 1 } } : {}),
        })
      }
      const bound = (value: number) =>
        d.random.pick([
          () => d.initializer([], [value]),
          () => d.constant([], [value]),
          () => d.parameter([], { low: value, high: value }),
        ])()
      return d.node('Clip', [
        x,
        ...(low || high ? [low ? bound(-0.5) : ''] : []),
        ...(high ? [bound(1)] : []),
      ])
    },
    edges: [
      {
        // Bounds that are computed from parameters.
        draw(d) {
          const scale = d.constant([1], [2])
          const [low, high] = [-0.5, 0.7].map((value) => {
            const p = d.parameter([1], { low: value, high: value })
            return d.node('Squeeze', [d.node('Mul', [p, scale]), d.integers([0])])
          })
          const x = d.activation([7], { avoid: [-1, 1.4] })
          return d.node('Clip', [x, low ?? '', high ?? ''])
        },
      },
      {
        // A weight as bound and as factor.
        draw(d) {
          const p = d.parameter([], { low: 0.6, high: 0.6 })
          const x = d.activation([9], { avoid: [0.6] })
          return d.node('Mul', [d.node('Clip', [x, p]), p])
        },
      },
    ],
  },
]

/**
 * Operands whose numbers interleave without coming close to each other: operand k takes numbers
 * around k / 4 + integers.
 */
function extremum(d: Draw, op: string): string {
  const shape = randomShape(d, d.random.integer(0, 3))
  const operands = d.random.integer(1, 3)
  const inputs = Array.from({ length: operands }, (_, k) => {
    const near = { low: k / 4, high: k / 4 + 0.05 }
    if (k > 0 && d.random.chance(0.4)) return smaller(d, shape, 0, near)
    if (d.mode === 'unbatched') return d.activation(shape, near)
    const levels = Array.from({ length: d.n * count(shape) }, () => d.random.integer(-1, 1))
    return d.node('Add', [d.input(shape, levels), d.parameter(shape, near)])
  })
  return d.node(op, inputs)
}

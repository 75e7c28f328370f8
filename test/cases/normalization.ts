import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'

export const normalization: readonly OpCase[] = [
  {
    op: 'BatchNormalization',
    opsets: [9, 14, 15],
    draw(d) {
      const channels = d.random.integer(1, 4)
      const x = d.activation([channels, ...randomShape(d, d.random.integer(0, 3))])
      const [scale, bias] = [d.parameter([channels]), d.parameter([channels])]
      const mean = d.initializer([channels], d.values(channels))
      const variance = d.initializer([channels], d.values(channels, { low: 0.3, high: 2 }))
      const attributes = d.random.chance() ? { epsilon: { f: 0.03 } } : undefined
      return d.node('BatchNormalization', [x, scale, bias, mean, variance], attributes ?? {})
    },
    edges: [
      {
        // Statistics that are computed are differentiated.
        draw(d) {
          const x = d.activation([2, 3])
          const computed = (low: number) =>
            d.node('Exp', [d.parameter([2], { low, high: low + 1 })])
          return d.node('BatchNormalization', [
            x,
            d.parameter([2]),
            d.parameter([2]),
            computed(-1),
            computed(0),
          ])
        },
      },
    ],
  },
]

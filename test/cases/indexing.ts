import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import { count, type Draw } from './draw.js'

export function indices(d: Draw, size: number, below: number): number[] {
  return Array.from({ length: size }, () => {
    const index = d.random.integer(0, below - 1)
    return d.opset >= 11 && d.random.chance(0.3) ? index - below : index
  })
}

export const indexing: readonly OpCase[] = [
  {
    op: 'Gather',
    opsets: [9, 11, 13],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const place = d.random.integer(0, shape.length)
      const pick = d.random.integer(0, shape.length - 1)
      const axis = pick + (pick < place ? 0 : 1)
      const of = randomShape(d, d.random.integer(0, 2))
      const rank = shape.length + 1
      const given = d.opset >= 11 && d.random.chance() ? axis - rank : axis
      const ids = d.integers(indices(d, count(of), shape[pick] ?? 1), of)
      const y = d.node('Gather', [d.moved(shape, place), ids], { axis: given })
      const at = place < axis ? place : place - 1 + of.length
      return d.moveBatch(y, rank - 1 + of.length, at, 0)
    },
    edges: [
      {
        // An embedding: rows of a weight by tokens.
        draw(d) {
          const ids = d.input(
            [4],
            indices(d, 4 * d.samples, 6).map((i) => (i + 6) % 6),
            'int64',
          )
          return d.node('Gather', [d.parameter([6, 3]), ids])
        },
      },
      {
        // One token of each sample.
        draw(d) {
          const ids = d.input(
            [],
            indices(d, d.samples, 5).map((i) => (i + 5) % 5),
            'int64',
          )
          return d.node('Gather', [d.parameter([5, 3]), ids], { axis: 0 })
        },
      },
      {
        // Along another axis of a weight of any rank.
        draw(d) {
          const ids = d.input(
            [3],
            indices(d, 3 * d.samples, 4).map((i) => (i + 4) % 4),
            'int64',
          )
          const y = d.node('Gather', [d.parameter([2, 4, 2]), ids], { axis: 1 })
          return d.node('Transpose', [y], { perm: [1, 0, 2, 3] })
        },
      },
    ],
  },
]

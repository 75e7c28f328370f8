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
    onHost: 'rows of weights',
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
  {
    op: 'GatherElements',
    opsets: [11, 13],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 2), 4)
      const axis = d.random.integer(1, shape.length)
      const picked = shape.map((size, a) => (a + 1 === axis ? d.random.integer(1, 4) : size))
      const own = shape[axis - 1] ?? 1
      const x = d.activation(shape)
      const ids = perSample(d, picked, (size) => indices(d, size, own))
      const given = d.random.chance() ? axis : axis - shape.length - 1
      return d.node('GatherElements', [x, ids], { axis: given })
    },
  },
  {
    op: 'GatherND',
    onHost: 'data that are the same for all samples',
    opsets: [12, 13],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const width = d.random.integer(1, shape.length)
      const tuples = d.random.integer(1, 3)
      const ids = perSample(d, [tuples, width], (size) =>
        Array.from({ length: size }, (_, e) => d.random.integer(0, (shape[e % width] ?? 1) - 1)),
      )
      return d.node('GatherND', [d.activation(shape), ids], { batch_dims: 1 })
    },
    edges: [
      {
        // Rows of a weight by tuples, without a batch axis in it.
        draw(d) {
          const ids = d.input([3, 1], indicesOf(d, 3 * d.samples, 4), 'int64')
          return d.node('GatherND', [d.parameter([4, 2]), ids])
        },
      },
    ],
  },
  {
    op: 'TopK',
    opsets: [9, 10, 11],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 2), 4)
      const axis = d.random.integer(1, shape.length)
      const k = d.random.integer(1, shape[axis - 1] ?? 1)
      const x = d.activation(shape, { distinct: true })
      if (d.opset < 10) return d.node('TopK', [x], { axis, k }, 2)[0] ?? ''
      const largest = d.opset >= 11 && d.random.chance() ? 0 : 1
      const attributes: Record<string, number> = d.opset >= 11 ? { axis, largest } : { axis }
      return d.node('TopK', [x, d.integers([k])], attributes, 2)[0] ?? ''
    },
  },
  {
    op: 'ScatterElements',
    opsets: [11, 13, 16, 18],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 2), 4)
      const axis = d.random.integer(1, shape.length)
      const own = shape[axis - 1] ?? 1
      const adds = d.opset >= 16 && d.random.chance()
      const length = d.random.integer(1, own)
      const written = shape.map((size, a) => (a + 1 === axis ? length : size))
      // Every line writes to places of its own, unless it adds.
      const inner = written.slice(axis).reduce((product, size) => product * size, 1)
      const ids = perSample(d, written, (size) =>
        Array.from({ length: size }, (_, e) =>
          adds ? d.random.integer(0, own - 1) : (Math.floor(e / inner) + e) % length,
        ).map((id, e) => (adds ? id : Math.floor(e / inner) % length)),
      )
      const x = d.activation(shape)
      const updates = d.activation(written)
      return d.node('ScatterElements', [x, ids, updates], {
        axis,
        ...(adds ? { reduction: 'add' } : {}),
      })
    },
  },
  {
    op: 'ScatterND',
    opsets: [11, 13, 16, 18],
    modes: ['unbatched'],
    draw(d) {
      const shape = randomShape(d, 2, 3)
      const adds = d.opset >= 16 && d.random.chance()
      const rows = adds ? [0, 1, 1, 2] : [2, 0]
      const x = d.activation(shape)
      const updates = d.parameter([rows.length, ...shape])
      const ids = d.integers(rows, [rows.length, 1])
      return d.node('ScatterND', [x, ids, updates], adds ? { reduction: 'add' } : {})
    },
    edges: [
      {
        // Columns of every sample are written over: indices are made from the batch's size.
        draw(d) {
          const x = d.activation([4])
          const size = d.node('Squeeze', [
            d.node('Slice', [d.node('Shape', [x]), d.integers([0]), d.integers([1])]),
          ])
          const zero = d.integers([0], [])
          const samples = d.node('Range', [zero, size, d.integers([1], [])])
          const first = d.node('Unsqueeze', [samples, d.integers([1])])
          const column = d.node('Mul', [
            d.node('Cast', [d.node('Not', [d.node('Cast', [first], { to: 9 })])], { to: 7 }),
            d.integers([0]),
          ])
          const ids = d.node('Concat', [first, d.node('Add', [column, d.integers([2])])], {
            axis: 1,
          })
          const updates = d.node('Squeeze', [d.activation([1]), d.integers([1])])
          return d.node('ScatterND', [x, ids, updates])
        },
      },
    ],
  },
  {
    op: 'CumSum',
    opsets: [11, 14],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const axis = d.random.integer(1, shape.length)
      const given = d.random.chance() ? axis : axis - shape.length - 1
      const attributes: Record<string, number> = {}
      if (d.random.chance()) attributes.exclusive = 1
      if (d.random.chance()) attributes.reverse = 1
      return d.node('CumSum', [d.activation(shape), d.integers([given], [])], attributes)
    },
  },
  {
    op: 'Trilu',
    opsets: [14],
    draw(d) {
      const x = d.activation([d.random.integer(1, 4), d.random.integer(1, 4)])
      const k = d.random.chance() ? [d.integers([d.random.integer(-2, 2)], [])] : []
      return d.node('Trilu', [x, ...k], d.random.chance() ? {} : { upper: 0 })
    },
  },
]

function indicesOf(d: Draw, size: number, below: number): number[] {
  return Array.from({ length: size }, () => d.random.integer(0, below - 1))
}

/** Integers (n, …shape): of the samples, or in an unbatched draw constant. */
function perSample(d: Draw, shape: readonly number[], make: (size: number) => number[]): string {
  const data = make(d.n * count(shape))
  return d.mode === 'batched' ? d.input(shape, data, 'int64') : d.integers(data, [d.n, ...shape])
}

import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import type { Draw } from './draw.js'

const anyShape = (d: Draw, least = 0) => randomShape(d, d.random.integer(least, 3))

/** Multiplied, so that what follows is no mere copy. */
function weighted(d: Draw, x: string): string {
  return d.node('Mul', [x, d.constant([], [1.5])])
}

export const shapes: readonly OpCase[] = [
  {
    op: 'Identity',
    opsets: [9, 14, 16],
    draw: (d) => weighted(d, d.node('Identity', [weighted(d, d.activation(anyShape(d)))])),
  },
  {
    op: 'Dropout',
    opsets: [9, 10, 12, 13],
    draw(d) {
      const x = d.activation(anyShape(d))
      if (d.opset < 12) return d.node('Dropout', [x], { ratio: { f: 0.4 } })
      const ratio = d.random.chance() ? [d.initializer([], [0.4])] : []
      const mode = ratio.length && d.random.chance() ? [d.booleans([], [false])] : []
      return d.node('Dropout', [x, ...ratio, ...mode])
    },
  },
  {
    op: 'Flatten',
    opsets: [9, 11, 13],
    modes: ['batched'],
    draw(d) {
      const shape = anyShape(d, 1)
      const x = d.activation(shape)
      return d.node('Flatten', [x], d.random.chance() ? {} : { axis: 1 })
    },
    edges: [
      {
        // The samples merge with the first axis, and come apart again.
        draw(d) {
          const flat = d.node('Flatten', [d.activation([3, 2, 2])], { axis: 2 })
          const y = d.node('Mul', [flat, d.parameter([4])])
          return d.node('Reshape', [y, d.integers([-1, 3, 4])])
        },
      },
      { opset: 11, draw: (d) => d.node('Flatten', [d.activation([3, 2])], { axis: -2 }) },
      { mode: 'unbatched', draw: (d) => d.node('Flatten', [d.activation([2, 2])]) },
    ],
  },
  {
    op: 'Reshape',
    opsets: [9, 13, 14],
    draw(d) {
      const shape = randomShape(d, 3)
      const x = d.activation(shape)
      const [a = 1, b = 1, c = 1] = shape
      const target = d.random.pick([
        [-1, a * b * c],
        [-1, a, b * c],
        [0, -1],
        [0, 0, -1],
        [-1, 1, c, b, a],
      ])
      return d.node('Reshape', [x, d.integers(target)])
    },
    edges: [
      {
        // Samples and an axis merge; what follows sees them as one.
        draw(d) {
          const rows = d.node('Reshape', [d.activation([2, 3]), d.integers([-1, 3])])
          const y = d.node('MatMul', [rows, d.parameter([3, 2])])
          return d.node('Reshape', [d.node('Add', [y, d.parameter([2])]), d.integers([-1, 4])])
        },
      },
    ],
  },
  {
    op: 'Transpose',
    opsets: [9, 13],
    draw(d) {
      const shape = randomShape(d, d.random.integer(0, 4))
      const axes = shape.map((_, a) => a + 1)
      for (let i = axes.length - 1; i > 0; i--) {
        const j = d.random.integer(0, i)
        const [a, b] = [axes[i] ?? 0, axes[j] ?? 0]
        axes[i] = b
        axes[j] = a
      }
      const at = d.random.integer(0, shape.length)
      const perm = [...axes.slice(0, at), 0, ...axes.slice(at)]
      const y = d.node('Transpose', [d.activation(shape)], { perm })
      return d.moveBatch(weighted(d, y), perm.length, at, 0)
    },
    edges: [
      {
        // Without an attribute the axes are reversed.
        draw: (d) => d.moveBatch(d.node('Transpose', [d.activation([2, 3])]), 3, 2, 0),
      },
      { draw: (d) => d.node('Transpose', [d.activation([17, 35])], { perm: [0, 2, 1] }) },
    ],
  },
  {
    op: 'Squeeze',
    opsets: [9, 11, 13],
    draw(d) {
      const x = d.activation([1, 3, 1, 2])
      const axes = d.random.pick([[1], [3], [1, 3], ...(d.opset > 9 ? [[-2], [-4, -2]] : [])])
      return d.opset < 13
        ? d.node('Squeeze', [x], { axes })
        : d.node('Squeeze', [x, d.integers(axes)])
    },
    edges: [{ draw: (d) => d.node('Squeeze', [d.activation([1, 3, 1])]) }],
  },
  {
    op: 'Unsqueeze',
    opsets: [9, 11, 13],
    draw(d) {
      const x = d.activation([3, 2])
      const axes = d.random.pick([[1], [2], [1, 3], ...(d.opset > 9 ? [[-1], [-1, -3]] : [])])
      return d.opset < 13
        ? d.node('Unsqueeze', [x], { axes })
        : d.node('Unsqueeze', [x, d.integers(axes)])
    },
  },
  {
    op: 'Concat',
    opsets: [9, 11, 13],
    draw(d) {
      const shape = anyShape(d, 1)
      const place = d.random.integer(0, shape.length)
      const axis = d.random.integer(0, shape.length - 1)
      const parts = Array.from({ length: d.random.integer(1, 3) }, () => {
        const own = [...shape]
        own[axis] = d.random.integer(1, 3)
        return d.moved(own, place)
      })
      const at = axis + (axis < place ? 0 : 1)
      const y = d.node('Concat', parts, {
        axis: d.opset > 9 && d.random.chance() ? at - shape.length - 1 : at,
      })
      return d.moveBatch(y, shape.length + 1, place, 0)
    },
    edges: [
      {
        // A parameter that is repeated for every sample stands first (a class token).
        draw(d) {
          const x = d.activation([3, 2])
          const size = d.node('Slice', [d.node('Shape', [x]), d.integers([0]), d.integers([1])])
          const target = d.node('Concat', [size, d.integers([1, 2])], { axis: 0 })
          const token = d.node('Expand', [d.parameter([1, 1, 2]), target])
          return d.node('Concat', [token, x], { axis: 1 })
        },
      },
    ],
  },
  {
    op: 'Split',
    opsets: [9, 11, 13, 18],
    draw(d) {
      const sizes = [d.random.integer(1, 3), d.random.integer(1, 3), d.random.integer(1, 2)]
      const even = d.random.chance(0.3)
      const total = even ? 6 : sizes.reduce((sum, size) => sum + size)
      const axis = d.random.integer(1, 2)
      const x = d.activation(axis === 1 ? [total, 2] : [2, total])
      const at = d.opset > 9 && d.random.chance() ? axis - 3 : axis
      const given = d.opset < 13
      const parts = even
        ? d.node('Split', [x], { axis: at, ...(d.opset >= 18 ? { num_outputs: 3 } : {}) }, 3)
        : d.node(
            'Split',
            [x, ...(given ? [] : [d.integers(sizes)])],
            { axis: at, ...(given ? { split: sizes } : {}) },
            3,
          )
      // One output is not used, another twice.
      const [first = '', , last = ''] = parts
      return d.node('Concat', [last, first, last], { axis })
    },
  },
  {
    op: 'Slice',
    opsets: [9, 10, 13],
    draw: slice,
    edges: [
      {
        // A slice of everything, next to what it is taken of.
        draw(d) {
          const x = d.activation([2, 3])
          const all =
            d.opset < 10
              ? d.node('Slice', [x], { starts: [0], ends: [3], axes: [2] })
              : d.node('Slice', [x, d.integers([0]), d.integers([2 ** 40]), d.integers([2])])
          return d.node('Add', [d.node('Mul', [all, all]), weighted(d, x)])
        },
      },
    ],
  },
  {
    op: 'Pad',
    onHost: 'a pad value that is a parameter',
    onHostForward: true,
    opsets: [9, 11, 13, 18, 19],
    draw(d) {
      const size = [d.random.integer(2, 4), d.random.integer(2, 4)]
      const mode = d.random.pick([
        'constant',
        'reflect',
        'edge',
        ...(d.opset >= 19 ? ['wrap'] : []),
      ])
      // onnxruntime reflects at most size − 1.
      const pads = [0, 0].map(() =>
        size.map((length) =>
          d.random.integer(mode === 'constant' && length > 2 ? -1 : 0, length - 1),
        ),
      )
      const all = pads.flatMap((own) => [0, ...own])
      const x = d.activation(size)
      if (d.opset < 11) return d.node('Pad', [x], { pads: all, mode, value: { f: 0.5 } })
      const values = [
        () => [],
        () => [d.initializer([], [0.7])],
        () => [d.parameter([])],
        () => [d.node('Squeeze', [d.parameter([1])])],
      ]
      const value: string[] = mode === 'constant' ? d.random.pick(values)() : []
      if (d.opset >= 18 && d.random.chance())
        return d.node('Pad', [x, d.integers(pads.flat()), value[0] ?? '', d.integers([-2, 2])], {
          mode,
        })
      return d.node('Pad', [x, d.integers(all), ...value], { mode })
    },
    edges: [
      {
        // Samples padded by a parameter that is a factor, too.
        draw(d) {
          const x = d.input([3], d.values(d.samples * 3))
          const p = d.parameter([])
          return d.node('Mul', [d.node('Pad', [x, d.integers([0, 2, 0, 1]), p]), p])
        },
      },
    ],
  },
  {
    op: 'Expand',
    opsets: [9, 13],
    draw(d) {
      const shape = randomShape(d, 2)
      const thin = shape.map((size) => (d.random.chance() ? 1 : size))
      const axis = d.random.integer(0, 2)
      const target = [...shape]
      target.splice(axis, 0, 1)
      const y = d.node('Expand', [d.moved(thin, axis), d.integers(target)])
      return d.moveBatch(y, 3, axis, 0)
    },
    edges: [
      {
        // A parameter is repeated for every sample.
        draw(d) {
          const x = d.activation([3])
          const token = d.node('Expand', [d.parameter([1, 3]), d.node('Shape', [x])])
          return d.node('Mul', [token, x])
        },
      },
    ],
  },
  {
    op: 'Tile',
    onHost: 'what is the same for all samples',
    opsets: [9, 13],
    draw(d) {
      const shape = randomShape(d, 2)
      const repeats = [1, d.random.integer(1, 3), d.random.integer(1, 3)]
      return d.node('Tile', [d.activation(shape), d.integers(repeats)])
    },
    edges: [
      {
        // A parameter is repeated for every sample.
        draw(d) {
          const x = d.activation([4])
          const size = d.node('Slice', [d.node('Shape', [x]), d.integers([0]), d.integers([1])])
          const repeats = d.node('Concat', [size, d.integers([2])], { axis: 0 })
          return d.node('Mul', [d.node('Tile', [d.parameter([1, 2]), repeats]), x])
        },
      },
    ],
  },
  {
    op: 'Cast',
    opsets: [9, 13, 19],
    draw: (d) => d.node('Cast', [weighted(d, d.activation(anyShape(d)))], { to: 1 }),
    edges: [
      {
        // Nothing flows through an integer.
        draw(d) {
          const x = d.activation([4], { low: 0.2, high: 0.8 })
          const whole = d.node('Cast', [x], { to: 7 })
          return d.node('Mul', [
            x,
            d.node('Add', [d.node('Cast', [whole], { to: 1 }), d.constant([], [1])]),
          ])
        },
      },
    ],
  },
  {
    op: 'CastLike',
    opsets: [15, 19],
    draw: (d) => d.node('CastLike', [weighted(d, d.activation(anyShape(d))), d.constant([], [1])]),
  },
  {
    op: 'DepthToSpace',
    opsets: [11, 13],
    draw(d) {
      const b = d.random.integer(1, 2)
      const [c, h, w] = [d.random.integer(1, 2), d.random.integer(1, 3), d.random.integer(1, 3)]
      const mode = d.random.pick(['DCR', 'CRD'])
      return d.node('DepthToSpace', [d.activation([c * b * b, h, w])], { blocksize: b, mode })
    },
  },
  {
    op: 'SpaceToDepth',
    opsets: [9, 13],
    draw(d) {
      const b = d.random.integer(1, 2)
      const [c, h, w] = [d.random.integer(1, 2), d.random.integer(1, 2), d.random.integer(1, 2)]
      return d.node('SpaceToDepth', [d.activation([c, h * b, w * b])], { blocksize: b })
    },
  },
]

function slice(d: Draw): string {
  const shape = randomShape(d, d.random.integer(1, 3), 4).map((size) => size + 1)
  const axes = shape.map((_, a) => a + 1).filter(() => d.random.chance(0.7))
  if (axes.length === 0) axes.push(1)
  const place = d.random.integer(0, shape.length)
  const at = axes.map((axis) => (axis <= place ? axis - 1 : axis))
  const cuts = axes.map((axis) => {
    const size = shape[axis - 1] ?? 1
    const start = d.random.integer(0, size - 1)
    const end = d.random.integer(start + 1, size)
    const backwards = d.opset >= 10 && d.random.chance(0.3)
    const step = d.opset >= 10 ? d.random.integer(1, 2) : 1
    if (!backwards) {
      const open = d.random.chance(0.3)
      return [d.random.chance() ? start : start - size, open ? 2 ** 40 : end, step]
    }
    return [end - 1, start === 0 ? -size - 1 : start - 1, -step]
  })
  const [starts, ends, steps] = [0, 1, 2].map((i) => cuts.map((cut) => cut[i] ?? 0))
  const x = d.moved(shape, place)
  const rank = shape.length + 1
  const signed = at.map((axis) => (d.opset >= 10 && d.random.chance() ? axis - rank : axis))
  const y =
    d.opset < 10
      ? d.node('Slice', [x], { starts: starts ?? [], ends: ends ?? [], axes: signed })
      : d.node('Slice', [
          x,
          d.integers(starts ?? []),
          d.integers(ends ?? []),
          d.integers(signed),
          d.integers(steps ?? []),
        ])
  return d.moveBatch(y, rank, place, 0)
}

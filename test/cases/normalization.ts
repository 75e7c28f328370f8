import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import type { Draw } from './draw.js'

/** A softmax along any axis, the batch anywhere; flattened before opset 13. */
function softmax(op: string): OpCase {
  return {
    op,
    opsets: [9, 11, 13],
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const rank = shape.length + 1
      if (d.opset < 13) {
        const axis = d.random.integer(1, shape.length)
        const given = d.opset >= 11 && d.random.chance() ? axis - rank : axis
        return d.node(op, [d.activation(shape)], d.random.chance(0.3) ? {} : { axis: given })
      }
      const place = d.random.integer(0, shape.length)
      const others = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== place)
      const axis = d.random.pick(others)
      const implied = axis === rank - 1 && d.random.chance()
      const given = d.random.chance() ? axis - rank : axis
      const y = d.node(op, [d.moved(shape, place)], implied ? {} : { axis: given })
      return d.moveBatch(y, rank, place, 0)
    },
    edges: [{ draw: (d) => d.node(op, [d.activation([40])]) }],
  }
}

/** Over the last axes, the scale of any shape that is broadcast to them. */
function layerNormalization(op: string, opsets: readonly number[], shift: boolean): OpCase {
  return {
    op,
    opsets,
    tolerance: 3e-4,
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      shape[shape.length - 1] = d.random.integer(3, 5)
      const axis = d.random.integer(1, shape.length)
      const tail = shape.slice(axis - 1)
      const inputs = [d.activation(shape), d.parameter(tail)]
      if (shift && d.random.chance(0.7)) inputs.push(d.parameter(tail))
      const implied = axis === shape.length && d.random.chance()
      return d.node(op, inputs, {
        ...(implied ? {} : { axis: d.random.chance() ? axis : axis - shape.length - 1 }),
        ...(d.random.chance() ? { epsilon: { f: 0.01 } } : {}),
      })
    },
    edges: [
      {
        // A long line.
        draw(d) {
          const tail = [d.parameter([37]), ...(shift ? [d.parameter([37])] : [])]
          return d.node(op, [d.activation([2, 37]), ...tail])
        },
      },
      {
        // The scale follows the samples.
        mode: 'unbatched',
        draw: (d) => d.node(op, [d.activation([4]), d.parameter([4])]),
      },
    ],
  }
}

function perChannel(
  d: Draw,
  op: string,
  size: number,
  channels: number,
  attributes: Record<string, number>,
): string {
  // Short lines have large higher derivatives, and onnxruntime has no kernel in float64.
  const rest = randomShape(d, d.random.integer(0, 2))
  const x = d.activation([channels, ...rest, d.random.integer(4, 6)], { low: -4, high: 4 })
  return d.node(op, [x, d.parameter([size]), d.parameter([size])], {
    ...attributes,
    ...(d.random.chance() ? { epsilon: { f: 0.01 } } : {}),
  })
}

export const normalization: readonly OpCase[] = [
  softmax('Softmax'),
  softmax('LogSoftmax'),
  layerNormalization('LayerNormalization', [17], true),
  layerNormalization('RMSNormalization', [23], false),
  layerNormalization('SimplifiedLayerNormalization', [17], false),
  {
    op: 'InstanceNormalization',
    opsets: [9, 22],
    tolerance: 5e-4,
    draw(d) {
      const channels = d.random.integer(1, 3)
      return perChannel(d, 'InstanceNormalization', channels, channels, {})
    },
  },
  {
    op: 'GroupNormalization',
    opsets: [18, 21],
    // onnxruntime computes it in float32 inside, whatever the type.
    only32: true,
    tolerance: 5e-4,
    draw(d) {
      const [groups, own] = [d.random.integer(1, 3), d.random.integer(1, 2)]
      const size = d.opset < 21 ? groups : groups * own
      return perChannel(d, 'GroupNormalization', size, groups * own, { num_groups: groups })
    },
  },
  {
    op: 'BatchNormalization',
    opsets: [9, 14, 15],
    draw(d) {
      const channels = d.random.integer(1, 4)
      const x = d.activation([channels, ...randomShape(d, d.random.integer(0, 3))])
      const [scale, bias] = [d.parameter([channels]), d.parameter([channels])]
      // Statistics are constants, unless they are asked for.
      const asked = d.random.chance()
      const positive = { low: 0.3, high: 2 }
      const mean = asked ? d.parameter([channels]) : d.initializer([channels], d.values(channels))
      const variance = asked
        ? d.parameter([channels], positive)
        : d.initializer([channels], d.values(channels, positive))
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
      {
        // A running mean that is subtracted elsewhere, too.
        draw(d) {
          const x = d.activation([2, 3])
          const mean = d.parameter([2])
          const variance = d.parameter([2], { low: 0.5, high: 2 })
          const y = d.node('BatchNormalization', [x, d.parameter([2]), mean, mean, variance])
          return d.node('Mul', [y, d.node('Reshape', [variance, d.integers([2, 1])])])
        },
      },
    ],
  },
  {
    op: 'LpNormalization',
    opsets: [9, 22],
    tolerance: 3e-4,
    draw(d) {
      const shape = randomShape(d, d.random.integer(1, 3), 4)
      const axis = d.random.integer(1, shape.length)
      const implied = axis === shape.length && d.random.chance()
      return d.node(
        'LpNormalization',
        [d.activation(shape, { low: -2, high: 2, avoid: [0, 0.1, -0.1, 0.2, -0.2] })],
        {
          ...(implied ? {} : { axis }),
          ...(d.random.chance() ? { p: d.random.integer(1, 2) } : {}),
        },
      )
    },
  },
  {
    op: 'LRN',
    opsets: [9, 13],
    draw(d) {
      const x = d.activation(randomShape(d, 3, 4))
      return d.node('LRN', [x], {
        size: d.random.pick([1, 3, 5]),
        ...(d.random.chance() ? { alpha: { f: 0.9 } } : {}),
        ...(d.random.chance() ? { beta: { f: 0.6 } } : {}),
        ...(d.random.chance() ? { bias: { f: 1.5 } } : {}),
      })
    },
  },
]

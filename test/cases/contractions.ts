import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import { count, type Draw } from './draw.js'

export const contractions: readonly OpCase[] = [
  {
    op: 'Gemm',
    opsets: [9, 11, 13],
    draw(d) {
      const [k, width] = [d.random.integer(1, 5), d.random.integer(1, 4)]
      const plus = (low: number, high: number) => ({ f: low + (high - low) * d.random.uniform() })
      const transA = d.random.integer(0, 1)
      const transB = d.random.integer(0, 1)
      const attributes = {
        transA,
        transB,
        ...(d.random.chance() ? { alpha: plus(-2, 2) } : {}),
        ...(d.random.chance() ? { beta: plus(-2, 2) } : {}),
      }
      // The activation on the left (rows are samples) or on the right (columns are).
      const left = d.random.chance()
      const x = d.activation([k])
      const rows = left ? !transA : !!transB
      const operand = rows ? x : d.node('Transpose', [x], { perm: [1, 0] })
      const other = left ? transB : !transA
      const weight = d.parameter(other ? [width, k] : [k, width])
      const shapes = left
        ? [[width], [1, width], [1], [], [1, 1], [d.n, 1]]
        : [[width, 1], [1], [], [1, 1]]
      const bias = d.random.chance(0.8)
        ? [d.parameter(d.random.pick(shapes.slice(0, left ? 5 : 4)))]
        : []
      const pair = left ? [operand, weight] : [weight, operand]
      const y = d.node(
        'Gemm',
        [...pair, ...(bias.length || d.opset >= 11 ? bias : [d.parameter([1])])],
        attributes,
      )
      return left ? y : d.node('Transpose', [y], { perm: [1, 0] })
    },
    edges: [
      {
        // The bias follows the samples.
        draw(d) {
          return d.node('Gemm', [d.activation([3]), d.parameter([3, 2]), d.activation([2])], {
            beta: { f: 0.5 },
          })
        },
      },
      {
        draw(d) {
          return d.node('Gemm', [d.activation([3]), d.parameter([3, 2]), d.activation([1])])
        },
      },
      {
        // Several rows of each sample.
        draw(d) {
          const flat = d.node('Reshape', [d.activation([4, 3]), d.integers([-1, 3])])
          const y = d.node('Gemm', [flat, d.parameter([2, 3]), d.parameter([2])], { transB: 1 })
          return d.node('Reshape', [y, d.integers([-1, 4, 2])])
        },
      },
      {
        // The same with the samples along the columns.
        draw(d) {
          const flat = d.node('Reshape', [d.activation([4, 3]), d.integers([-1, 3])])
          const y = d.node('Gemm', [d.parameter([3, 2]), flat, d.parameter([2, 1])], {
            transA: 1,
            transB: 1,
          })
          return d.node('Reshape', [
            d.node('Transpose', [y], { perm: [1, 0] }),
            d.integers([-1, 4, 2]),
          ])
        },
      },
      {
        // A scalar bias of a network one wide: as many numbers as the bias has.
        draw: (d) => d.node('Gemm', [d.activation([3]), d.parameter([3, 1]), d.parameter([1])]),
      },
    ],
  },
  {
    op: 'Einsum',
    opsets: [12],
    draws: 60,
    draw(d) {
      const [i, j, k, l] = randomShape(d, 4).map((size) => size + 1) as [
        number,
        number,
        number,
        number,
      ]
      const a = d.activation
      const p = d.parameter
      const forms: readonly (() => [string, string[]])[] = [
        () => ['bi,ij->bj', [a.call(d, [i]), p.call(d, [i, j])]],
        () => ['bti,oi->bto', [a.call(d, [j, i]), p.call(d, [k, i])]],
        // Attention: heads, two activations.
        () => ['bqhd,bkhd->bhqk', [a.call(d, [i, j, k]), a.call(d, [l, j, k])]],
        () => ['bhqk,bkhd->bqhd', [a.call(d, [i, j, k]), a.call(d, [k, i, l])]],
        () => ['bi,bi->b', [a.call(d, [i]), a.call(d, [i])]],
        () => ['bi,bj->bij', [a.call(d, [i]), a.call(d, [j])]],
        () => ['bi,j->bij', [a.call(d, [i]), p.call(d, [j])]],
        // An axis that is only summed, on either side.
        () => ['bij,kl->bk', [a.call(d, [i, j]), p.call(d, [k, l])]],
        () => ['bij->bji', [a.call(d, [i, j])]],
        () => ['bij->b', [a.call(d, [i, j])]],
        // A diagonal, a trace.
        () => ['bii->bi', [a.call(d, [i, i])]],
        () => ['bij,jj->bi', [a.call(d, [i, j]), p.call(d, [j, j])]],
        // Three operands.
        () => ['bi,ij,jk->bk', [a.call(d, [i]), p.call(d, [i, j]), p.call(d, [j, k])]],
        // Ellipses, an output that is implied, the batch last.
        () => ['...i,ij->...j', [a.call(d, [k, i]), p.call(d, [i, j])]],
        () => ['b...i,...ij->b...j', [a.call(d, [k, i]), p.call(d, [k, i, j])]],
        () => ['ai,ij', [a.call(d, [i]), p.call(d, [i, j])]],
      ]
      const [equation, inputs] = d.random.pick(forms)()
      return d.node('Einsum', inputs, { equation })
    },
    edges: [
      {
        // The samples merge with another axis.
        draw(d) {
          const rows = d.node('Reshape', [d.activation([2, 3]), d.integers([-1, 3])])
          const y = d.node('Einsum', [rows, d.parameter([3, 4])], { equation: 'ri,ij->rj' })
          return d.node('Reshape', [y, d.integers([-1, 8])])
        },
      },
      {
        draw: (d) =>
          d.moveBatch(
            d.node('Einsum', [d.moved([3], 1), d.parameter([3, 2])], { equation: 'ib,ij->jb' }),
            2,
            1,
            0,
          ),
      },
    ],
  },
  {
    op: 'MatMul',
    onHost: 'leading axes that are broadcast in part',
    onHostForward: true,
    opsets: [9, 13],
    draws: 60,
    draw: matmul,
  },
  {
    op: 'ConvTranspose',
    onHost: 'weights of what is computed from parameters alone',
    opsets: [9, 11, 22],
    tolerance: 3e-4,
    together: 6,
    draw: convTranspose,
    edges: [
      {
        draw: (d) =>
          d.node('ConvTranspose', [d.activation([2, 3, 3]), d.parameter([2, 2, 3, 3])], {
            strides: [2, 2],
            output_shape: [6, 7],
          }),
      },
    ],
  },
  {
    op: 'Conv',
    onHost: 'weights in groups, of what is computed from parameters alone',
    opsets: [9, 11, 17, 22],
    draws: 60,
    together: 6,
    tolerance: 3e-4,
    draw: (d) => convolution(d, d.random.pick([1, 1, 2, 2, 2, 3])),
    edges: [
      {
        // Depthwise, a small multiple of channels.
        draw: (d) =>
          d.node('Conv', [d.activation([3, 5, 4]), d.parameter([6, 1, 3, 3]), d.parameter([6])], {
            group: 3,
            pads: [1, 1, 1, 1],
          }),
      },
      {
        // Padding larger than the image reaches the kernel from both sides.
        draw: (d) =>
          d.node('Conv', [d.activation([2, 2, 2]), d.parameter([2, 2, 3, 3])], {
            pads: [2, 3, 2, 1],
            strides: [2, 1],
          }),
      },
      {
        // One pixel: a dense layer.
        draw: (d) =>
          d.node('Conv', [d.activation([4, 1, 1]), d.parameter([3, 4, 1, 1]), d.parameter([3])]),
      },
      {
        // Several images of each sample.
        draw(d) {
          const images = d.node('Reshape', [d.activation([2, 3, 4, 4]), d.integers([-1, 3, 4, 4])])
          const y = d.node('Conv', [images, d.parameter([4, 3, 2, 2]), d.parameter([4])])
          return d.node('Reshape', [y, d.integers([-1, 2, 4, 3, 3])])
        },
      },
      {
        // Large enough that one image is worked on in parts.
        draw: (d) =>
          d.node('GlobalAveragePool', [
            d.node('Mul', [
              d.node('Conv', [small(d, [1, 70, 40]), d.parameter([3, 1, 3, 3])]),
              d.constant([1, 3, 68, 38], d.values(3 * 68 * 38)),
            ]),
          ]),
        mode: 'batched',
      },
    ],
  },
]

/** An activation of few parameters for its size. */
function small(d: Draw, shape: readonly number[]): string {
  const parameter = d.parameter([shape[0] ?? 1, ...shape.slice(1).map(() => 1)])
  return d.node('Mul', [d.input(shape, d.values(d.samples * count(shape))), parameter])
}

function convTranspose(d: Draw): string {
  const rank = d.random.pick([1, 2, 2, 3])
  const group = d.random.pick([1, 1, 2])
  const [inner, outer] = [d.random.integer(1, 2), d.random.integer(1, 2)]
  const size = Array.from({ length: rank }, () => d.random.integer(1, rank === 3 ? 2 : 3))
  const kernel = size.map(() => d.random.integer(1, 3))
  const strides = size.map(() => d.random.integer(1, 2))
  const attributes: Record<string, number[] | number | string> = { group }
  if (d.random.chance(0.7)) attributes.strides = strides
  const way = d.random.integer(0, 3)
  if (way === 0) {
    attributes.auto_pad = d.random.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID'])
  } else {
    if (d.random.chance(0.3)) attributes.dilations = size.map(() => d.random.integer(1, 2))
    if (way === 1)
      attributes.pads = [...kernel, ...kernel].map((k) => d.random.integer(0, (k - 1) >> 1))
    if (way === 2 && attributes.strides) attributes.output_padding = strides.map((s) => s - 1)
  }
  const x = d.activation([group * inner, ...size])
  const weight = d.parameter([group * inner, outer, ...kernel])
  const bias = d.random.chance() ? [d.parameter([group * outer])] : []
  return d.node('ConvTranspose', [x, weight, ...bias], attributes)
}

function matmul(d: Draw): string {
  const [m, k, n] = [d.random.integer(1, 4), d.random.integer(1, 4), d.random.integer(1, 4)]
  const kind = d.random.integer(0, 8)
  switch (kind) {
    case 0:
      return d.node('MatMul', [d.activation([k]), d.parameter([k, n])])
    case 1: {
      // Any leading axes.
      const lead = randomShape(d, d.random.integer(1, 2))
      return d.node('MatMul', [d.activation([...lead, m, k]), d.parameter([k, n])])
    }
    case 2:
      // Weight on the left.
      return d.node('MatMul', [d.parameter([m, k]), d.activation([k, n])])
    case 3: {
      // Two activations, leading axes broadcast.
      const lead = randomShape(d, d.random.integer(0, 2))
      const thin = lead.map((size) => (d.random.chance(0.3) ? 1 : size))
      const pair = [d.activation([...lead, m, k]), d.activation([...thin, k, n])]
      return d.node('MatMul', pair)
    }
    case 4: {
      // One-dimensional operands.
      return d.random.chance()
        ? d.node('MatMul', [d.activation([m, k]), d.parameter([k])])
        : d.node('MatMul', [d.parameter([k]), d.activation([k, n])])
    }
    case 5: {
      // A stack of weights, one for each leading index: groups.
      const groups = d.random.integer(1, 3)
      return d.random.chance()
        ? d.node('MatMul', [d.activation([groups, m, k]), d.parameter([groups, k, n])])
        : d.node('MatMul', [d.parameter([groups, m, k]), d.activation([groups, k, n])])
    }
    case 6: {
      // The activation is repeated along the weights' leading axis, and the other way round.
      const groups = d.random.integer(1, 3)
      return d.random.chance()
        ? d.node('MatMul', [d.activation([1, m, k]), d.parameter([groups, k, n])])
        : d.node('MatMul', [d.activation([groups, m, k]), d.parameter([1, k, n])])
    }
    case 7: {
      // The batch is not the first axis: rows are samples, weights stacked along a leading one.
      const groups = d.random.integer(1, 3)
      const x = d.moved([groups, k], 1)
      const y = d.node('MatMul', [x, d.parameter([groups, k, n])])
      return d.moveBatch(y, 3, 1, 0)
    }
    default: {
      // Samples along the columns.
      const x = d.node('Transpose', [d.activation([k])], { perm: [1, 0] })
      return d.node('Transpose', [d.node('MatMul', [d.parameter([m, k]), x])], { perm: [1, 0] })
    }
  }
}

/** Attributes of a sliding window over `size` that leaves at least one position. */
export function windowAttributes(
  d: Draw,
  size: readonly number[],
  kernel: readonly number[],
  dilated = true,
): Record<string, number[] | string> {
  const attributes: Record<string, number[] | string> = {}
  // onnxruntime has no dilation together with SAME padding.
  const automatic = d.random.chance(0.3)
  const dilations = kernel.map((k, a) =>
    dilated && !automatic && (k - 1) * 2 + 1 <= (size[a] ?? 0) && d.random.chance(0.4) ? 2 : 1,
  )
  if (dilations.some((value) => value > 1)) attributes.dilations = dilations
  // Nor, in pooling, strides over the kernel's size.
  const most = (k: number) => (automatic ? Math.min(3, k) : 3)
  if (d.random.chance(0.6)) attributes.strides = kernel.map((k) => d.random.integer(1, most(k)))
  if (automatic) {
    attributes.auto_pad = d.random.pick(['SAME_UPPER', 'SAME_LOWER', 'VALID'])
  } else if (d.random.chance(0.7)) {
    const reach = kernel.map((k, a) => Math.min(2, (k - 1) * (dilations[a] ?? 1)))
    attributes.pads = [...reach, ...reach].map((value) => d.random.integer(0, value))
  }
  return attributes
}

function convolution(d: Draw, rank: number): string {
  const group = d.random.pick([1, 1, 2, 3])
  const [inner, outer] = [d.random.integer(1, 3), d.random.integer(1, 3)]
  const size = Array.from({ length: rank }, () =>
    d.random.integer(3, rank === 3 ? 3 : rank === 2 ? 4 : 6),
  )
  const kernel = size.map((length) => d.random.integer(1, Math.min(3, length)))
  const attributes = windowAttributes(d, size, kernel)
  const x = d.activation([group * inner, ...size])
  const weight = d.parameter([group * outer, inner, ...kernel])
  const bias = d.random.chance() ? [d.parameter([group * outer])] : []
  return d.node('Conv', [x, weight, ...bias], {
    ...attributes,
    ...(group > 1 || d.random.chance() ? { group } : {}),
    ...(d.random.chance() ? { kernel_shape: kernel } : {}),
  })
}

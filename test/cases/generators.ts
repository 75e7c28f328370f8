// Operators that make arrays out of a few numbers, and numbers out of integers.
import { randomShape } from './arithmetic.js'
import type { OpCase } from './check.js'
import { count, type Draw } from './draw.js'

/** Stored or fed integers (n, …shape) from 0 to below `below`. */
function whole(d: Draw, shape: readonly number[], below: number): string {
  const data = Array.from({ length: d.n * count(shape) }, () => d.random.integer(0, below - 1))
  return d.mode === 'batched' ? d.input(shape, data, 'int64') : d.integers(data, [d.n, ...shape])
}

const scales = { low: 0.01, high: 0.1 }

function dequantize(d: Draw): string {
  const shape = [d.random.integer(2, 3), d.random.integer(2, 4)]
  // uint8 and int32.
  const x = d.node('Cast', [whole(d, shape, 50)], { to: d.random.pick([2, 6]) })
  const kind = d.random.pick(['all', 'axis', ...(d.opset >= 21 ? ['block'] : [])])
  const axis = d.random.integer(1, 2)
  const own = shape[axis - 1] ?? 1
  const given = d.random.chance() ? axis : axis - 3
  if (kind === 'all') return d.node('DequantizeLinear', [x, d.parameter([], scales)])
  if (kind === 'axis' || d.mode === 'batched')
    return d.node('DequantizeLinear', [x, d.parameter([own], scales)], { axis: given })
  const blocks = [d.n, ...shape]
  blocks[axis] = Math.ceil(own / 2)
  const attributes = { axis: given, block_size: 2 }
  return d.node('DequantizeLinear', [x, d.parameter(blocks, scales)], attributes)
}

export const generators: readonly OpCase[] = [
  {
    op: 'Range',
    opsets: [11, 13],
    draw(d) {
      // Four numbers, however start and step are moved a little.
      const start = d.parameter([], { low: -0.02, high: 0.02 })
      const step = d.parameter([], { low: 0.48, high: 0.52 })
      const values = d.node('Range', [start, d.initializer([], [1.75]), step])
      return d.node('Mul', [d.activation([4]), values])
    },
  },
  {
    op: 'OneHot',
    opsets: [9, 11],
    draw(d) {
      const shape = randomShape(d, d.random.integer(0, 2))
      const depth = d.random.integer(2, 4)
      const axis = d.random.pick([...shape.map((_, a) => a + 1), -1])
      // Some indices are out of range: all off.
      const codes = d.node(
        'OneHot',
        [whole(d, shape, depth + 1), d.integers([depth]), d.parameter([2])],
        axis === -1 && d.random.chance() ? {} : { axis },
      )
      return d.mode === 'batched' ? codes : d.node('Mul', [codes, d.parameter([1])])
    },
  },
  {
    op: 'DequantizeLinear',
    onHost: 'blocks that share a scale',
    onHostForward: true,
    opsets: [10, 13, 19, 21],
    // onnxruntime has no kernels in float64.
    only32: true,
    draw(d) {
      if (d.opset < 13) {
        const x = d.node('Cast', [whole(d, [3], 50)], { to: 2 })
        return d.node('DequantizeLinear', [x, d.parameter([], scales)])
      }
      return dequantize(d)
    },
  },
]

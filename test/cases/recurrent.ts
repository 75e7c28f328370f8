import type { OpCase } from './check.js'
import type { Draw } from './draw.js'

type Attributes = Record<string, string | number | string[]>

function layer(d: Draw, op: string, gates: number, extra: Attributes): string {
  const [steps, inputs, hidden] = [
    d.random.integer(1, 3),
    d.random.integer(1, 3),
    d.random.integer(1, 3),
  ]
  const direction = d.random.pick(['forward', 'reverse', 'bidirectional'])
  const directions = direction === 'bidirectional' ? 2 : 1
  const x = d.moved([steps, inputs], 1)
  const weights = [
    d.parameter([directions, gates * hidden, inputs]),
    d.parameter([directions, gates * hidden, hidden]),
  ]
  const bias = d.random.chance(0.7) ? d.parameter([directions, 2 * gates * hidden]) : ''
  const state = () => (d.random.chance() ? d.moved([directions, hidden], 1) : '')
  const starts = op === 'LSTM' ? [state(), state()] : [state()]
  const outputs = d.node(
    op,
    [x, ...weights, bias, '', ...starts],
    { hidden_size: hidden, direction, ...extra },
    op === 'LSTM' ? 3 : 2,
  )
  // All outputs, some of them, one.
  const flat = outputs.map((y, j) => {
    const first = d.moveBatch(y, j === 0 ? 4 : 3, j === 0 ? 2 : 1, 0)
    return d.node('Flatten', [first], { axis: 1 })
  })
  const used = flat.filter(() => d.random.chance())
  return d.node('Concat', used.length ? used : flat, { axis: 1 })
}

export const recurrent: readonly OpCase[] = [
  {
    op: 'LSTM',
    opsets: [9, 14, 22],
    // onnxruntime has no kernels in float64.
    only32: true,
    together: 5,
    tolerance: 3e-4,
    draw: (d) => layer(d, 'LSTM', 4, {}),
  },
  {
    op: 'GRU',
    onHost: 'a reset before the recurrent weights',
    onHostForward: true,
    opsets: [9, 14, 22],
    // onnxruntime has no kernels in float64.
    only32: true,
    draws: 40,
    together: 5,
    tolerance: 3e-4,
    draw: (d) => layer(d, 'GRU', 3, d.random.chance() ? { linear_before_reset: 1 } : {}),
  },
  {
    op: 'RNN',
    opsets: [9, 14, 22],
    // onnxruntime has no kernels in float64.
    only32: true,
    together: 5,
    tolerance: 3e-4,
    draw: (d) => layer(d, 'RNN', 1, {}),
  },
]

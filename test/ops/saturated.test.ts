// Derivatives of activation functions from −85 to 100, each to its own size: the function's float32
// value has long come to its end there. Truth: closed forms in float64.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { type AttributeValue, floats, model, type NodeSpec, type Tensor } from '../support/onnx.js'

const { abs, exp, sqrt, tanh, PI } = Math

// In forms without cancellation.
const logistic = (x: number) => (x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)))
const bump = (x: number) => logistic(x) * logistic(-x)
const sech2 = (x: number) => 4 * bump(2 * x)
const softplus = (x: number) => (x > 0 ? x + Math.log1p(exp(-x)) : Math.log1p(exp(x)))

/** erfc: its series, and far out its continued fraction. */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x)
  if (x < 2) {
    let [term, sum] = [x, x]
    for (let n = 1; n < 60; n += 1) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return 1 - (2 / sqrt(PI)) * sum
  }
  let fraction = x
  for (let n = 80; n > 0; n -= 1) fraction = x + n / 2 / fraction
  return exp(-x * x) / sqrt(PI) / fraction
}
const gelu = (x: number) => erfc(-x / Math.SQRT2) / 2 + (x * exp((-x * x) / 2)) / sqrt(2 * PI)
const geluTanh = (x: number) => {
  const k = sqrt(2 / PI)
  const u = 2 * k * (x + 0.044715 * x ** 3)
  return logistic(u) + x * bump(u) * 2 * k * (1 + 3 * 0.044715 * x * x)
}
const swish = (x: number, a = 1) => logistic(a * x) + a * x * bump(a * x)

interface Written {
  /** Nodes from z to y. */
  nodes: NodeSpec[]
  constants?: Record<string, Tensor>
  derivative(x: number): number
  opset?: number
  low?: number
  high?: number
}

const scalar = (value: number): Tensor => floats([], [value])
const node = (op: string, inputs: string[], output: string, attributes = {}): NodeSpec => ({
  op,
  inputs,
  outputs: [output],
  attributes,
})
const one = (op: string, attributes: Record<string, AttributeValue> = {}): NodeSpec[] => [
  node(op, ['z'], 'y', attributes),
]

const functions: Record<string, Written> = {
  Sigmoid: { nodes: one('Sigmoid'), derivative: bump },
  Tanh: { nodes: one('Tanh'), derivative: sech2, low: -43, high: 43 },
  Softplus: { nodes: one('Softplus'), derivative: logistic },
  Erf: {
    nodes: one('Erf'),
    derivative: (x) => (2 / sqrt(PI)) * exp(-x * x),
    low: -9.2,
    high: 9.2,
  },
  'Gelu, exact': { nodes: one('Gelu'), derivative: gelu, opset: 20, low: -12.8 },
  'Gelu, tanh': {
    nodes: one('Gelu', { approximate: 'tanh' }),
    derivative: geluTanh,
    opset: 20,
    low: -9.5,
  },
  Mish: {
    nodes: one('Mish'),
    opset: 18,
    derivative: (x) => tanh(softplus(x)) + x * logistic(x) * sech2(softplus(x)),
  },
  Swish: { nodes: one('Swish'), derivative: swish, opset: 24 },
  Elu: { nodes: one('Elu'), derivative: (x) => (x > 0 ? 1 : exp(x)) },
  Celu: {
    nodes: one('Celu', { alpha: { f: 2 } }),
    derivative: (x) => (x > 0 ? 1 : exp(x / 2)),
  },
  Selu: {
    nodes: one('Selu'),
    derivative: (x) => 1.0507009873554805 * (x > 0 ? 1 : 1.6732632423543772 * exp(x)),
  },
  Softsign: { nodes: one('Softsign'), derivative: (x) => 1 / (1 + abs(x)) ** 2 },
  HardSwish: {
    nodes: one('HardSwish'),
    opset: 14,
    derivative: (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1),
  },
  'x·Sigmoid(x)': {
    nodes: [node('Sigmoid', ['z'], 's'), node('Mul', ['z', 's'], 'y')],
    derivative: swish,
  },
  'x·Sigmoid(1.702x)': {
    nodes: [
      node('Mul', ['z', 'a'], 'az'),
      node('Sigmoid', ['az'], 's'),
      node('Mul', ['s', 'z'], 'y'),
    ],
    constants: { a: scalar(1.702) },
    derivative: (x) => swish(x, Math.fround(1.702)),
    low: -50,
  },
  'x/(1 + exp(−x))': {
    nodes: [
      node('Neg', ['z'], 'n'),
      node('Exp', ['n'], 'e'),
      node('Add', ['e', 'c1'], 'd'),
      node('Div', ['z', 'd'], 'y'),
    ],
    constants: { c1: scalar(1) },
    derivative: swish,
  },
  '1/(1 + exp(−x))': {
    nodes: [
      node('Neg', ['z'], 'n'),
      node('Exp', ['n'], 'e'),
      node('Add', ['c1', 'e'], 'd'),
      node('Reciprocal', ['d'], 'y'),
    ],
    constants: { c1: scalar(1) },
    derivative: bump,
  },
  'Gelu with Erf': {
    nodes: [
      node('Div', ['z', 'r'], 'u'),
      node('Erf', ['u'], 'e'),
      node('Add', ['e', 'c1'], 'a'),
      node('Mul', ['z', 'a'], 'za'),
      node('Mul', ['za', 'h'], 'y'),
    ],
    constants: { r: scalar(Math.SQRT2), c1: scalar(1), h: scalar(0.5) },
    derivative: gelu,
    low: -12.8,
  },
  'Gelu with Erf, halved first': {
    nodes: [
      node('Mul', ['h', 'z'], 'hz'),
      node('Mul', ['z', 'r'], 'u'),
      node('Erf', ['u'], 'e'),
      node('Add', ['c1', 'e'], 'a'),
      node('Mul', ['hz', 'a'], 'y'),
    ],
    constants: { r: scalar(Math.SQRT1_2), c1: scalar(1), h: scalar(0.5) },
    derivative: gelu,
    low: -12.8,
  },
  'Gelu with Tanh': {
    nodes: [
      node('Mul', ['z', 'h'], 'hz'),
      node('Pow', ['z', 'three'], 'zzz'),
      node('Mul', ['zzz', 'c'], 'czzz'),
      node('Add', ['z', 'czzz'], 'v'),
      node('Mul', ['v', 'k'], 'u'),
      node('Tanh', ['u'], 't'),
      node('Add', ['t', 'c1'], 'a'),
      node('Mul', ['hz', 'a'], 'y'),
    ],
    constants: {
      h: scalar(0.5),
      three: scalar(3),
      c: scalar(0.044715),
      k: scalar(sqrt(2 / PI)),
      c1: scalar(1),
    },
    derivative: geluTanh,
    low: -9.5,
  },
  'Gelu with Tanh, factored': {
    nodes: [
      node('Mul', ['z', 'h'], 'hz'),
      node('Mul', ['z', 'k'], 'kz'),
      node('Mul', ['z', 'c'], 'cz'),
      node('Mul', ['cz', 'z'], 'czz'),
      node('Add', ['czz', 'c1'], 'v'),
      node('Mul', ['kz', 'v'], 'u'),
      node('Tanh', ['u'], 't'),
      node('Add', ['t', 'c1'], 'a'),
      node('Mul', ['hz', 'a'], 'y'),
    ],
    constants: { h: scalar(0.5), c: scalar(0.044715), k: scalar(sqrt(2 / PI)), c1: scalar(1) },
    derivative: geluTanh,
    low: -9.5,
  },
  'x·Tanh(Softplus(x))': {
    nodes: [node('Softplus', ['z'], 's'), node('Tanh', ['s'], 't'), node('Mul', ['z', 't'], 'y')],
    derivative: (x) => tanh(softplus(x)) + x * logistic(x) * sech2(softplus(x)),
  },
  'Log(Sigmoid(x))': {
    nodes: [node('Sigmoid', ['z'], 's'), node('Log', ['s'], 'y')],
    derivative: (x) => logistic(-x),
  },
  'Log(1 − Sigmoid(x))': {
    nodes: [node('Sigmoid', ['z'], 's'), node('Sub', ['c1', 's'], 'r'), node('Log', ['r'], 'y')],
    constants: { c1: scalar(1) },
    derivative: (x) => -logistic(x),
  },
  'Log(1 + Exp(x))': {
    nodes: [node('Exp', ['z'], 'e'), node('Add', ['e', 'c1'], 'a'), node('Log', ['a'], 'y')],
    constants: { c1: scalar(1) },
    derivative: logistic,
  },
  'Softmax of (x, 0)': {
    nodes: [
      node('Pad', ['z', 'pads'], 'zz'),
      node('Softmax', ['zz'], 'p', { axis: 1 }),
      node('Slice', ['p', 'i0', 'i1', 'i1'], 'y'),
    ],
    constants: pairs(),
    derivative: bump,
  },
  'LogSoftmax of (x, 0)': {
    nodes: [
      node('Pad', ['z', 'pads'], 'zz'),
      node('LogSoftmax', ['zz'], 'p', { axis: 1 }),
      node('Slice', ['p', 'i0', 'i1', 'i1'], 'y'),
    ],
    constants: pairs(),
    derivative: (x) => logistic(-x),
  },
  'Log(Softmax) of (x, 0)': {
    nodes: [
      node('Pad', ['z', 'pads'], 'zz'),
      node('Softmax', ['zz'], 'q', { axis: 1 }),
      node('Log', ['q'], 'p'),
      node('Slice', ['p', 'i0', 'i1', 'i1'], 'y'),
    ],
    constants: pairs(),
    derivative: (x) => logistic(-x),
  },
  'a gate: 0.3·Sigmoid(x) of a factor': {
    nodes: [
      node('Sigmoid', ['zero'], 's'),
      node('Add', ['w', 'c'], 'wc'),
      node('Mul', ['s', 'wc'], 'y'),
    ],
    constants: { c: scalar(0.3) },
    derivative: logistic,
  },
}

function pairs(): Record<string, Tensor> {
  const integers = (data: number[]): Tensor => ({ type: 'int64', shape: [data.length], data })
  return { pads: integers([0, 0, 0, 1]), i0: integers([0]), i1: integers([1]) }
}

/** Smallest number that float32 holds with all its digits. */
const tiny = 1.2e-38

for (const [
  name,
  { nodes, constants, derivative, opset = 17, low = -85, high = 100 },
] of Object.entries(functions)) {
  test(`${name}: right in proportion from ${low} to ${high}`, async (t) => {
    // z = x + w, w = 0; `zero` is x alone, for what is read by another rule.
    const bytes = model({
      opset,
      nodes: [node('Add', ['x', 'w'], 'z'), node('Identity', ['x'], 'zero'), ...nodes],
      inputs: [{ name: 'x', shape: ['N', 1] }],
      outputs: [{ name: 'y', shape: ['N', 1] }],
      initializers: { w: floats([1], [0]), ...constants },
    })
    const network = await Network.load(bytes)
    try {
      t.deepEqual(
        network.parameters.map(({ name: own }) => own),
        ['w'],
      )
      const points = 300
      const x = Float32Array.from(
        { length: points },
        (_, i) => low + ((high - low) * i) / (points - 1),
      )
      const input = { data: x, shape: [points, 1] }
      const jacobian = (await network.jacobian(input)).get('w')?.data ?? []
      const direction = new Map([['w', { data: new Float32Array([1]), shape: [1] }]])
      const forward = (await network.jvp(input, direction)).data
      for (const [way, found] of [
        ['reverse', jacobian],
        ['forward', forward],
      ] as const) {
        let worst = { error: 0, at: 0, found: 0, truth: 0 }
        x.forEach((at, i) => {
          const truth = derivative(at)
          const size = Math.max(abs(truth), tiny)
          const error = abs((found[i] as number) - truth) / size
          if (!(error <= worst.error)) worst = { error, at, found: found[i] as number, truth }
        })
        // exp(−x²) and its like: x² has the error of float32, times 85.
        t.true(worst.error < 5e-5, `${way}: ${JSON.stringify(worst)}`)
      }
    } finally {
      await network.dispose()
    }
  })
}

/** One step of a layer with one unit whose gate `k` sees x + its bias, the others their biases. */
function gate(op: 'LSTM' | 'GRU', k: number, biases: readonly number[], linear: number) {
  const gates = biases.length
  const state = floats([1, 1, 1], [0.4])
  const expand: NodeSpec[] = ['h', 'c'].map((name) => node('Expand', [`${name}0`, 'shape'], name))
  return model({
    nodes: [
      node('Reshape', ['x', 'time'], 'xt'),
      node('Shape', ['xt'], 'xs'),
      node('Slice', ['xs', 'i1', 'i2', 'i0'], 'batch'),
      node('Concat', ['i1', 'batch', 'i1'], 'shape', { axis: 0 }),
      ...expand,
      {
        op,
        inputs: ['xt', 'W', 'R', 'B', '', 'h', ...(op === 'LSTM' ? ['c'] : [])],
        outputs: ['', 'last'],
        attributes: { hidden_size: 1, ...(op === 'GRU' ? { linear_before_reset: linear } : {}) },
      },
      node('Reshape', ['last', 'flat'], 'y'),
    ],
    inputs: [{ name: 'x', shape: ['N', 1] }],
    outputs: [{ name: 'y', shape: ['N', 1] }],
    initializers: {
      W: floats(
        [1, gates, 1],
        biases.map((_, g) => (g === k ? 1 : 0)),
      ),
      R: floats(
        [1, gates, 1],
        biases.map(() => 0),
      ),
      B: floats(
        [1, 2 * gates],
        [...biases.map((b, g) => (g === k ? 0 : b)), ...biases.map(() => 0)],
      ),
      h0: state,
      c0: state,
      time: { type: 'int64', shape: [3], data: [1, -1, 1] },
      flat: { type: 'int64', shape: [2], data: [-1, 1] },
      i0: { type: 'int64', shape: [1], data: [0] },
      i1: { type: 'int64', shape: [1], data: [1] },
      i2: { type: 'int64', shape: [1], data: [2] },
    },
  })
}

const c0 = Math.fround(0.4)
/** ∂h/∂(gate k's sum), the sums being a. */
const lstm = ([i, o, f, g]: number[], k: number) => {
  const [a, b, c, d] = [i, o, f, g] as [number, number, number, number]
  const cell = logistic(c) * c0 + logistic(a) * tanh(d)
  const out = logistic(b) * sech2(cell)
  return [
    out * bump(a) * tanh(d),
    bump(b) * tanh(cell),
    out * bump(c) * c0,
    out * logistic(a) * sech2(d),
  ][k] as number
}
const gru = ([z, r, n]: number[], k: number) => {
  // R is 0: the reset gate is of no consequence.
  const [a, , c] = [z, r, n] as [number, number, number]
  return [bump(a) * (c0 - tanh(c)), 0, logistic(-a) * sech2(c)][k] as number
}

for (const [op, biases, truth] of [
  ['LSTM', [0.2, 0.5, 0.3, 0.7], lstm],
  ['GRU', [0.2, 0.5, 0.7], gru],
] as const) {
  for (const [k] of biases.entries()) {
    test(`${op}: gate ${k} right in proportion from −85 to 100`, async (t) => {
      for (const linear of op === 'GRU' ? [0, 1] : [0]) {
        const network = await Network.load(gate(op, k, biases, linear), { parameters: ['B'] })
        const bound = op === 'LSTM' && k === 3 ? 43 : op === 'GRU' && k === 2 ? 43 : undefined
        const [low, high] = bound ? [-bound, bound] : [-85, 100]
        const x = Float32Array.from({ length: 120 }, (_, i) => low + ((high - low) * i) / 119)
        const jacobian = await network.jacobian({ data: x, shape: [120, 1] })
        const found = jacobian.get('B')?.data ?? new Float32Array()
        const direction = floats32(2 * biases.length, k)
        const ahead = await network.jvp({ data: x, shape: [120, 1] }, new Map([['B', direction]]))
        x.forEach((at, i) => {
          const sums = biases.map((b, g) => (g === k ? at : Math.fround(b)))
          const expected = truth(sums, k)
          for (const value of [found[i * 2 * biases.length + k], ahead.data[i]]) {
            const error = abs((value as number) - expected) / Math.max(abs(expected), tiny)
            t.true(error < 5e-5, `x = ${at}, linear ${linear}: ${value} instead of ${expected}`)
          }
        })
        await network.dispose()
      }
    })
  }
}

function floats32(size: number, at: number) {
  const data = new Float32Array(size)
  data[at] = 1
  return { data, shape: [1, size] }
}

test('what is recognised is what onnxruntime computes', async (t) => {
  // Differences of the forward in the middle, where float32 carries them.
  for (const [name, { nodes, constants, derivative, opset = 17 }] of Object.entries(functions)) {
    if (name.startsWith('a gate')) continue
    const network = await Network.load(
      model({
        opset,
        nodes: [node('Add', ['x', 'w'], 'z'), ...nodes],
        inputs: [{ name: 'x', shape: ['N', 1] }],
        outputs: [{ name: 'y', shape: ['N', 1] }],
        initializers: { w: floats([1], [0]), ...constants },
      }),
    )
    const step = 2 ** -7
    const at = [-2.6, -1.9, -0.4, 0.3, 1.2, 2.4]
    const x = Float32Array.from(at.flatMap((v) => [v - step, v + step]))
    const y = (await network.run({ data: x, shape: [x.length, 1] })).data
    at.forEach((v, i) => {
      const slope = (Number(y[2 * i + 1]) - Number(y[2 * i])) / (2 * step)
      near(
        t,
        slope,
        derivative(v),
        { absolute: 2e-4 },
        `${name} at ${v}: ${slope}, ${derivative(v)}`,
      )
    })
    await network.dispose()
  }
})

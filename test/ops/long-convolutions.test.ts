// Convolutions along one long axis with many channels, which take ways of their own. Truth: sums in
// float64.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { near } from '../support/near.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'

interface Layer {
  inputs: number
  outputs: number
  taps: number
  pads: [number, number]
  stride?: number
  transposed?: boolean
}
type Rows = Float64Array[]

const rows = (count: number, length: number): Rows =>
  Array.from({ length: count }, () => new Float64Array(length))

function outLength({ taps, pads, stride = 1, transposed }: Layer, length: number): number {
  const padding = pads[0] + pads[1]
  return transposed
    ? (length - 1) * stride + taps - padding
    : Math.floor((length + padding - taps) / stride) + 1
}

/**
 * Output position o reads at tap k input position `at`.
 */
function each(layer: Layer, length: number, body: (k: number, o: number, at: number) => void) {
  const { stride = 1, transposed } = layer
  const out = outLength(layer, length)
  const [windows, other] = transposed ? [length, out] : [out, length]
  for (let k = 0; k < layer.taps; k += 1)
    for (let o = 0; o < windows; o += 1) {
      const at = o * stride + k - layer.pads[0]
      if (at >= 0 && at < other) body(k, ...((transposed ? [at, o] : [o, at]) as [number, number]))
    }
}

const place = ({ inputs, outputs, taps, transposed }: Layer, m: number, c: number, k: number) =>
  (transposed ? c * outputs + m : m * inputs + c) * taps + k

function forward(layer: Layer, w: Float32Array, x: Rows): Rows {
  const length = x[0]?.length ?? 0
  const out = rows(layer.outputs, outLength(layer, length))
  out.forEach((to, m) => {
    x.forEach((own, c) => {
      each(layer, length, (k, o, at) => {
        to[o] = (to[o] ?? 0) + (w[place(layer, m, c, k)] ?? 0) * (own[at] ?? 0)
      })
    })
  })
  return out
}

function backward(layer: Layer, w: Float32Array, g: Rows, x: Rows) {
  const length = x[0]?.length ?? 0
  const dx = rows(layer.inputs, length)
  const dw = new Float64Array(w.length)
  g.forEach((own, m) => {
    x.forEach((values, c) => {
      const to = dx[c] ?? new Float64Array()
      each(layer, length, (k, o, at) => {
        const p = place(layer, m, c, k)
        const cotangent = own[o] ?? 0
        dw[p] = (dw[p] ?? 0) + cotangent * (values[at] ?? 0)
        to[at] = (to[at] ?? 0) + (w[p] ?? 0) * cotangent
      })
    })
  })
  return { dx, dw }
}

const length = 261
const cases: Record<string, [Layer, Layer]> = {
  'seven taps': [
    { inputs: 2, outputs: 64, taps: 3, pads: [1, 1] },
    { inputs: 64, outputs: 66, taps: 7, pads: [3, 3] },
  ],
  'four taps, more on one side': [
    { inputs: 2, outputs: 65, taps: 3, pads: [0, 2] },
    { inputs: 65, outputs: 64, taps: 4, pads: [5, 0] },
  ],
  'three taps, none outside': [
    { inputs: 2, outputs: 64, taps: 1, pads: [0, 0] },
    { inputs: 64, outputs: 64, taps: 3, pads: [0, 0] },
  ],
  'strides, of which the last numbers have no window': [
    { inputs: 2, outputs: 32, taps: 3, pads: [1, 1] },
    { inputs: 32, outputs: 33, taps: 5, pads: [1, 0], stride: 3 },
  ],
  'transposed with strides': [
    { inputs: 2, outputs: 33, taps: 3, pads: [1, 1] },
    { inputs: 33, outputs: 32, taps: 4, pads: [0, 0], stride: 4, transposed: true },
  ],
  'transposed, with two taps for some phases': [
    { inputs: 2, outputs: 32, taps: 3, pads: [1, 1] },
    { inputs: 32, outputs: 32, taps: 3, pads: [1, 0], stride: 2, transposed: true },
  ],
}

/** What makes one number of all positions; the cotangent has one for each channel then. */
const poolings = {
  ReduceMax: { axes: [2], keepdims: 1 },
  GlobalMaxPool: {},
} as const
type Pooling = keyof typeof poolings | undefined

/** The cotangent of a channel's numbers for one of what comes of it: of its largest, or of each. */
function cotangent(values: Float64Array, weights: Float32Array, pooling: Pooling): Float64Array {
  if (!pooling) return Float64Array.from(weights)
  const g = new Float64Array(values.length)
  g[values.indexOf(Math.max(...values))] = weights[0] ?? 0
  return g
}

const ways = Object.entries(cases).flatMap(([name, layers]) =>
  [undefined, 'ReduceMax', 'GlobalMaxPool'].map((pooling) => {
    const after = pooling ? ` and ${pooling}` : ''
    return { name: name + after, layers, pooling: pooling as Pooling }
  }),
)
for (const { name, layers, pooling } of ways) {
  const [first, second] = layers
  test(`${name}: the Jacobian and the kernel are those of plain sums`, async (t) => {
    const random = new Random(7)
    const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal())
    const [w1, w2] = [first, second].map((l) => draw(l.outputs * l.inputs * l.taps)) as [
      Float32Array,
      Float32Array,
    ]
    const end = pooling ? 1 : outLength(second, outLength(first, length))
    // Two outputs: sums of everything with weights.
    const heads = [draw(second.outputs * end), draw(second.outputs * end)]
    const head = new Float32Array(2 * second.outputs * end)
    heads.forEach((values, o) => {
      values.forEach((value, e) => {
        head[2 * e + o] = value
      })
    })
    const N = 2
    const x = draw(N * first.inputs * length)
    const bytes = model({
      inputs: [{ name: 'x', shape: ['N', first.inputs, length] }],
      outputs: [{ name: 'y', shape: ['N', 2] }],
      initializers: {
        w1: floats([first.outputs, first.inputs, first.taps], w1),
        w2: floats(
          second.transposed
            ? [second.inputs, second.outputs, second.taps]
            : [second.outputs, second.inputs, second.taps],
          w2,
        ),
        head: floats([second.outputs * end, 2], head),
      },
      nodes: [
        { op: 'Conv', inputs: ['x', 'w1'], outputs: ['a'], attributes: { pads: first.pads } },
        {
          op: second.transposed ? 'ConvTranspose' : 'Conv',
          inputs: ['a', 'w2'],
          outputs: ['b'],
          attributes: { pads: second.pads, strides: [second.stride ?? 1] },
        },
        ...(pooling
          ? [{ op: pooling, inputs: ['b'], outputs: ['m'], attributes: poolings[pooling] }]
          : []),
        { op: 'Flatten', inputs: [pooling ? 'm' : 'b'], outputs: ['c'] },
        { op: 'MatMul', inputs: ['c', 'head'], outputs: ['y'] },
      ],
    })
    const network = await Network.load(bytes, { parameters: ['w1', 'w2'] })
    const truth: Float64Array[] = []
    for (let i = 0; i < N; i += 1) {
      const own = rows(first.inputs, length).map((_, c) =>
        Float64Array.from(x.subarray((i * first.inputs + c) * length).subarray(0, length)),
      )
      const a = forward(first, w1, own)
      const b = forward(second, w2, a)
      for (const values of heads) {
        const g = b.map((channel, m) =>
          cotangent(channel, values.subarray(m * end, (m + 1) * end), pooling),
        )
        const upper = backward(second, w2, g, a)
        const lower = backward(first, w1, upper.dx, own)
        truth.push(Float64Array.of(...lower.dw, ...upper.dw))
      }
    }
    const input = { shape: [N, first.inputs, length], data: x }
    const jacobian = await network.jacobian(input)
    const found = ['w1', 'w2'].map((label) => jacobian.get(label))
    const sizes = [w1.length, w2.length]
    truth.forEach((row, r) => {
      found.forEach((part, p) => {
        const size = sizes[p] ?? 0
        const start = p === 0 ? 0 : w1.length
        const own = part?.data.slice(r * size, (r + 1) * size)
        near(t, Array.from(own ?? [], Number), row.slice(start, start + size), 1e-5, `row ${r}`)
      })
    })
    const kernel = truth.flatMap((a) =>
      truth.map((b) => a.reduce((s, v, e) => s + v * (b[e] ?? 0), 0)),
    )
    for (const block of [undefined, 1]) {
      const { data } = await network.ntk(input, undefined, block ? { block } : {})
      near(t, Array.from(data, Number), kernel, 1e-5, `the kernel in blocks of ${block}`)
    }
    for (const method of ['jacobian', 'mixed'] as const) {
      const { data } = await network.ntk(input, undefined, { method, threads: 1 })
      near(t, Array.from(data, Number), kernel, 1e-5, method)
    }
    await network.dispose()
  })
}

test('a sample that is not finite leaves the others as they are, in any block', async (t) => {
  const random = new Random(3)
  const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal())
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', 2, 40] }],
    outputs: [{ name: 'y', shape: ['N', 3] }],
    initializers: {
      w: floats([3, 2, 3], draw(18)),
      b: floats([3], draw(3)),
    },
    nodes: [
      { op: 'Exp', inputs: ['x'], outputs: ['e'] },
      { op: 'Conv', inputs: ['e', 'w', 'b'], outputs: ['a'] },
      { op: 'ReduceMean', inputs: ['a'], outputs: ['y'], attributes: { axes: [2], keepdims: 0 } },
    ],
  })
  const network = await Network.load(bytes)
  const data = draw(3 * 80)
  const own = await network.ntk({ shape: [2, 2, 40], data: data.slice(80) })
  // Its exponential is infinite.
  data[0] = 200
  for (const block of [1, 2, 3]) {
    const whole = await network.ntk({ shape: [3, 2, 40], data }, undefined, {
      block,
      nonFinite: 'return',
    })
    // Rows (i, o), columns (j, p): those of the last two samples.
    const found: number[] = []
    for (let r = 3; r < 9; r += 1)
      for (let c = 3; c < 9; c += 1) found.push(Number(whole.data[r * 9 + c]))
    near(t, found, Array.from(own.data, Number), 1e-5, `blocks of ${block}`)
  }
  await network.dispose()
})

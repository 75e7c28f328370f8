// Convolutions along one axis, which run in planes of height 1 where their weights are constants. Truth:
// sums in float64.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { fields, graphOf, parts, textIn, textsIn } from '../../lib/onnx/wire.js'
import { withWeightsInside } from '../../lib/runtime/packed.js'
import { weightsFrom } from '../../lib/runtime/path.js'
import { lineOperands } from '../support/lines.js'
import { near } from '../support/near.js'
import { model, type NodeSpec } from '../support/onnx.js'
import { node, weight } from '../support/small.js'

/** More calls than it takes to put weights inside. */
const often = 18

interface Case {
  inputs?: number
  group?: number
  stride?: number
  dilation?: number
  pads?: [number, number]
  bias?: boolean
  attributes?: NodeSpec['attributes']
}

const [count, outputs, taps, length] = [3, 32, 5, 19]

const cases: Record<string, Case> = {
  plain: {},
  'a bias': { bias: true },
  'all at once': { stride: 3, dilation: 2, pads: [2, 1], bias: true },
  groups: { inputs: 32, group: 2, pads: [1, 3] },
  'a channel each': { inputs: 32, group: 32, stride: 2, pads: [2, 2] },
  'pads that the length tells': { pads: [2, 2], attributes: { auto_pad: 'SAME_UPPER' } },
}

function truth(c: Case, x: Float32Array, w: Float32Array, b: Float32Array | undefined) {
  const { inputs = 16, group = 1, stride = 1, dilation = 1, pads = [0, 0] } = c
  const reach = (taps - 1) * dilation + 1
  const out = Math.floor((length + pads[0] + pads[1] - reach) / stride) + 1
  const [each, made] = [inputs / group, outputs / group]
  const sum = (n: number, m: number, o: number) => {
    let total = b?.[m] ?? 0
    for (let q = 0; q < each; q += 1)
      for (let k = 0; k < taps; k += 1) {
        const i = o * stride + k * dilation - pads[0]
        if (i < 0 || i >= length) continue
        const from = (n * inputs + Math.floor(m / made) * each + q) * length + i
        total += (w[(m * each + q) * taps + k] as number) * (x[from] as number)
      }
    return total
  }
  const y = Float64Array.from({ length: count * outputs * out }, (_, e) =>
    sum(Math.floor(e / (outputs * out)), Math.floor(e / out) % outputs, e % out),
  )
  return { y, out }
}

for (const opset of [9, 11, 13, 17])
  for (const [name, c] of Object.entries(cases))
    test(`${name} in opset ${opset}`, async (t) => {
      const { inputs = 16, group = 1, stride = 1, dilation = 1, pads = [0, 0], bias } = c
      const { input, names, initializers, numbers } = lineOperands(opset, {
        x: [count, inputs, length],
        w: [outputs, inputs / group, taps],
        bias: bias ? outputs : undefined,
      })
      const { y, out } = truth(c, ...numbers)
      const where = c.attributes ?? { kernel_shape: [taps], pads }
      const network = await Network.load(
        model({
          nodes: [
            node('Conv', names, 'h', {
              ...{ strides: [stride], dilations: [dilation], group },
              ...where,
            }),
            node('Mul', ['h', 's'], 'y'),
          ],
          initializers: { ...initializers, s: weight([outputs, 1], 4) },
          inputs: [{ name: 'x', shape: ['N', inputs, length] }],
          outputs: [{ name: 'y', shape: ['N', outputs, out] }],
          opset,
        }),
      )
      t.teardown(() => network.dispose())
      const s = weight([outputs, 1], 4).data
      const run = y.map((value, e) => value * (s[Math.floor(e / out) % outputs] as number))
      near(t, await network.run(input), { shape: [count, outputs * out], data: run }, 1e-5)
      // By s the derivative of what a channel gives is the convolution itself.
      const chosen = [0, out + 1, 31 * out]
      const expected = new Float64Array(count * chosen.length * outputs)
      for (let n = 0; n < count; n += 1)
        for (const [k, o] of chosen.entries())
          expected[(n * chosen.length + k) * outputs + Math.floor(o / out)] = y[
            n * outputs * out + o
          ] as number
      const shape = [count, chosen.length, outputs, 1]
      for (let call = 1; call <= often; call += 1) {
        const jacobian = await network.jacobian(input, { outputs: chosen })
        if (call !== 1 && call < often) continue
        near(t, jacobian.get('s') ?? [], { shape, data: expected }, 1e-5, `call ${call}`)
      }
    })

const conv = (attributes: NodeSpec['attributes'] = {}, output = 'y') =>
  node('Conv', ['x', 'w'], output, attributes)

const branch = {
  nodes: [node('Exp', ['w'], 'e')],
  ...{ initializers: {}, inputs: [], outputs: [{ name: 'e', shape: [] }] },
}
const choice = node('If', ['c'], 'z', { then_branch: { g: branch }, else_branch: { g: branch } })

const kinds: [string, boolean, number[], NodeSpec[], string?][] = [
  ['many channels', true, [32, 16, 3], [conv()]],
  ['a channel for each group', true, [32, 1, 3], [conv({ group: 32 })]],
  ['groups of many channels', true, [32, 16, 3], [conv({ group: 2 })]],
  ['groups of few outputs', false, [32, 16, 3], [conv({ group: 4 })]],
  ['one tap', false, [32, 16, 1], [conv()]],
  ['few channels', false, [24, 16, 3], [conv()]],
  ['channels that are no blocks', false, [32, 24, 3], [conv()]],
  ['two axes', false, [32, 16, 3, 3], [conv()]],
  ['a weight that is read again', false, [32, 16, 3], [conv(), node('Exp', ['w'], 'z')]],
  ['two convolutions of one weight', false, [32, 16, 3], [conv(), conv({}, 'z')]],
  ['a graph inside, which may read it', false, [32, 16, 3], [conv(), choice]],
  ['a weight that is an output', false, [32, 16, 3], [conv()], 'w'],
]

for (const [name, expected, shape, nodes, output = 'y'] of kinds)
  test(`${name}: ${expected ? 'planes' : 'as it is'}`, (t) => {
    const declared = { name: 'w', shape }
    const fed = model({
      nodes,
      initializers: {},
      inputs: [{ name: 'x', shape: ['N', 64, 30] }, declared],
      outputs: [{ name: output, shape: [] }],
      opset: 17,
    })
    const data = Float32Array.from(weight(shape).data)
    const made = graphOf(withWeightsInside(fed, weightsFrom([{ name: 'w', id: 0, shape, data }])))
    const ops = parts(made, fields.graph.node).map((each) => textIn(each, fields.node.opType))
    const widened = ops.filter((op) => op === 'Unsqueeze').length
    t.is(widened, expected ? 1 : 0)
    t.is(ops.includes('Squeeze'), expected)
    const inputs = parts(made, fields.graph.input).flatMap((each) =>
      textsIn(each, fields.value.name),
    )
    t.deepEqual(inputs, ['x'])
  })

// Transposed convolutions along one axis, which run in planes of height 1. Truth: sums in float64.
import test from 'ava'
import { Network } from '../../lib/index.js'
import { lineOperands } from '../support/lines.js'
import { near } from '../support/near.js'
import { model, type NodeSpec } from '../support/onnx.js'
import { node } from '../support/small.js'

interface Case {
  group?: number
  stride?: number
  dilation?: number
  pads?: [number, number]
  extra?: number
  bias?: boolean
  attributes?: NodeSpec['attributes']
}

const [count, inputs, outputs, taps, length] = [3, 4, 6, 5, 7]

const cases: Record<string, Case> = {
  plain: {},
  'a bias': { bias: true },
  strides: { stride: 3, bias: true },
  'all at once': { group: 2, stride: 3, dilation: 2, pads: [2, 1], extra: 2, bias: true },
  'a length': {
    stride: 2,
    pads: [1, 1],
    extra: 1,
    attributes: { output_shape: [16] },
  },
}

function truth(c: Case, x: Float32Array, w: Float32Array, b: Float32Array | undefined) {
  const { group = 1, stride = 1, dilation = 1, pads = [0, 0], extra = 0 } = c
  const out = (length - 1) * stride + extra + (taps - 1) * dilation + 1 - pads[0] - pads[1]
  const [each, made] = [inputs / group, outputs / group]
  const y = new Float64Array(count * outputs * out)
  for (let n = 0; n < count; n += 1)
    for (let m = 0; m < outputs; m += 1) {
      const to = y.subarray((n * outputs + m) * out, (n * outputs + m + 1) * out)
      to.fill(b?.[m] ?? 0)
      const first = Math.floor(m / made) * each
      for (let q = first; q < first + each; q += 1)
        for (let i = 0; i < length; i += 1)
          for (let k = 0; k < taps; k += 1) {
            const o = i * stride + k * dilation - pads[0]
            if (o < 0 || o >= out) continue
            const own = w[(q * made + (m % made)) * taps + k] as number
            to[o] = (to[o] as number) + own * (x[(n * inputs + q) * length + i] as number)
          }
    }
  return { y, out }
}

for (const opset of [9, 11, 13, 17])
  for (const [name, c] of Object.entries(cases))
    test(`${name} in opset ${opset}`, async (t) => {
      const { group = 1, stride = 1, dilation = 1, pads = [0, 0], extra = 0, bias } = c
      const { input, names, initializers, numbers } = lineOperands(opset, {
        x: [count, inputs, length],
        w: [inputs, outputs / group, taps],
        bias: bias ? outputs : undefined,
      })
      const { y, out } = truth(c, ...numbers)
      const attributes = {
        ...{ kernel_shape: [taps], strides: [stride], dilations: [dilation], group },
        ...{ pads, output_padding: [extra], ...c.attributes },
      }
      const source = model({
        nodes: [node('ConvTranspose', names, 'y', attributes)],
        initializers,
        inputs: [{ name: 'x', shape: ['N', inputs, length] }],
        outputs: [{ name: 'y', shape: ['N', outputs, out] }],
        opset,
      })
      const network = await Network.load(source)
      t.teardown(() => network.dispose())
      near(t, await network.run(input), { shape: [count, outputs * out], data: y }, 1e-5)
    })

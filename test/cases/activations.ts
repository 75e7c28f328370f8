import type { OpCase } from './check.js'
import type { Domain, Draw } from './draw.js'

type Attributes = Record<string, { f: number } | string>

/** An element-wise function of one operand, of any rank, the batch anywhere. */
function unary(
  op: string,
  options: {
    opsets?: readonly number[]
    domain?: Domain
    attributes?: (d: Draw) => Attributes
    tolerance?: number
  } = {},
): OpCase {
  const { attributes, domain, ...rest } = options
  return {
    op,
    ...rest,
    draw(d) {
      const shape = Array.from({ length: d.random.integer(0, 3) }, () => d.random.integer(1, 4))
      const axis = d.random.integer(0, shape.length)
      const x = d.moved(shape, axis, domain)
      const y = d.node(op, [x], d.random.chance(0.3) ? {} : (attributes?.(d) ?? {}))
      return d.moveBatch(y, shape.length + 1, axis, 0)
    },
  }
}

const number = (d: Draw, low: number, high: number) => ({
  f: low + (high - low) * d.random.uniform(),
})

export const activations: readonly OpCase[] = [
  unary('Relu', { opsets: [9, 13, 17, 22], domain: { avoid: [0] } }),
  unary('LeakyRelu', {
    opsets: [9, 16, 22],
    domain: { avoid: [0] },
    attributes: (d) => ({ alpha: number(d, -0.5, 1.5) }),
  }),
  unary('ThresholdedRelu', {
    opsets: [10, 22],
    domain: { avoid: [0.5, 1] },
    attributes: () => ({ alpha: { f: 0.5 } }),
  }),
  unary('Elu', {
    opsets: [9, 22],
    domain: { avoid: [0] },
    attributes: (d) => ({ alpha: number(d, 0.3, 2) }),
  }),
  unary('Selu', {
    opsets: [9, 22],
    domain: { avoid: [0] },
    attributes: (d) => ({ alpha: number(d, 0.5, 2), gamma: number(d, 0.5, 2) }),
  }),
  unary('Celu', {
    opsets: [12],
    domain: { avoid: [0] },
    attributes: (d) => ({ alpha: number(d, 0.3, 2) }),
  }),
  unary('Sigmoid', { opsets: [9, 13] }),
  unary('Tanh', { opsets: [9, 13] }),
  unary('HardSigmoid', {
    opsets: [9, 22],
    domain: { low: -4, high: 4, avoid: [-2.5, 2.5, -1, 1] },
    attributes: () => ({ alpha: { f: 0.5 }, beta: { f: 0.5 } }),
  }),
  unary('HardSwish', { opsets: [14, 22], domain: { low: -5, high: 5, avoid: [-3, 3] } }),
  unary('Softplus', { opsets: [9, 22], domain: { low: -8, high: 8 } }),
  unary('Softsign', { opsets: [9, 22], domain: { avoid: [0] } }),
  unary('Mish', { opsets: [18, 22], domain: { low: -6, high: 6 } }),
  unary('Gelu', {
    opsets: [20],
    attributes: (d) => ({ approximate: d.random.pick(['none', 'tanh']) }),
  }),
  unary('Shrink', {
    opsets: [9],
    domain: { low: -2, high: 2, avoid: [-0.5, 0.5, -1, 1] },
    attributes: (d) => ({ lambd: { f: 1 }, bias: number(d, -1, 1) }),
  }),
  unary('Swish', { opsets: [24], attributes: (d) => ({ alpha: number(d, 0.5, 2) }) }),
  unary('com.microsoft::Gelu'),
  unary('com.microsoft::QuickGelu', { attributes: (d) => ({ alpha: number(d, 0.5, 2) }) }),
]

export const functions: readonly OpCase[] = [
  unary('Exp', { opsets: [9, 13] }),
  unary('Log', { opsets: [9, 13], domain: { low: 0.3, high: 3 } }),
  unary('Sqrt', { opsets: [9, 13], domain: { low: 0.3, high: 3 } }),
  unary('Reciprocal', { opsets: [9, 13], domain: { low: 0.4, high: 3 } }),
  unary('Neg', { opsets: [9, 13] }),
  unary('Abs', { opsets: [9, 13], domain: { avoid: [0] } }),
  unary('Erf', { opsets: [9, 13] }),
  unary('Sin', { opsets: [9, 22] }),
  unary('Cos', { opsets: [9, 22] }),
  unary('Tan', { opsets: [9, 22], domain: { low: -1, high: 1 } }),
  unary('Asin', { opsets: [9, 22], domain: { low: -0.8, high: 0.8 } }),
  unary('Acos', { opsets: [9, 22], domain: { low: -0.8, high: 0.8 } }),
  unary('Atan', { opsets: [9, 22] }),
  unary('Sinh', { opsets: [9, 22] }),
  unary('Cosh', { opsets: [9, 22] }),
  unary('Asinh', { opsets: [9, 22] }),
  unary('Acosh', { opsets: [9, 22], domain: { low: 1.3, high: 4 } }),
  unary('Atanh', { opsets: [9, 22], domain: { low: -0.8, high: 0.8 } }),
]

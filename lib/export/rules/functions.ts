// Functions of one variable, element by element: ẏ = f′(x)·ẋ. At kinks the derivative is PyTorch's.
import { type Maths, nextTo } from '../maths.js'
import { type Rules, single, type TangentCall } from '../rule.js'

/** ẏ = ẋ·slope. */
const slope = (write: (m: Maths, call: TangentCall) => string) =>
  single((call, dx) => call.maths.times(dx, write(call.maths, call)))

/** The same of a function of x alone. */
const atInput = (write: (m: Maths, x: string) => string) =>
  slope((m, call) => write(m, call.input(0)))
/** The same of a slope that is infinite somewhere: a tangent of 0 stays 0 there. */
const steepAtInput = (write: (m: Maths, x: string) => string) =>
  single((call, dx) => {
    const m = call.maths
    return m.where(m.equal(dx, m.number(0)), dx, m.times(dx, write(m, call.input(0))))
  })
const atOutput = (write: (m: Maths, y: string) => string) =>
  slope((m, call) => write(m, call.output()))

const inverse = (m: Maths, a: string) => m.op('Reciprocal', [a])
const fromOne = (m: Maths, a: string) => m.minus(m.number(1), a)

export const functions: Rules = {
  Exp: slope((_, call) => call.output()),
  Log: steepAtInput(inverse),
  Sqrt: single((call, dx) => {
    const m = call.maths
    const quotient = m.over(m.scaled(dx, 0.5), call.output())
    return m.where(m.equal(dx, m.number(0)), dx, quotient)
  }),
  Reciprocal: steepAtInput((m, x) => m.op('Neg', [inverse(m, m.square(x))])),
  Neg: single((call, dx) => call.maths.op('Neg', [dx])),
  Abs: atInput((m, x) => m.op('Sign', [x])),
  Erf: atInput((m, x) => m.scaled(m.op('Exp', [m.op('Neg', [m.square(x)])]), 1.1283791670955126)),
  Sin: atInput((m, x) => m.op('Cos', [x])),
  Cos: atInput((m, x) => m.op('Neg', [m.op('Sin', [x])])),
  Tan: atOutput((m, y) => m.shifted(m.square(y), 1)),
  Asin: steepAtInput((m, x) => inverse(m, m.op('Sqrt', [fromOne(m, m.square(x))]))),
  Acos: steepAtInput((m, x) => m.op('Neg', [inverse(m, m.op('Sqrt', [fromOne(m, m.square(x))]))])),
  Atan: atInput((m, x) => inverse(m, m.shifted(m.square(x), 1))),
  Sinh: atInput((m, x) => m.op('Cosh', [x])),
  Cosh: atInput((m, x) => m.op('Sinh', [x])),
  Asinh: atInput((m, x) => inverse(m, m.op('Sqrt', [m.shifted(m.square(x), 1)]))),
  Acosh: steepAtInput((m, x) => inverse(m, m.op('Sqrt', [m.shifted(m.square(x), -1)]))),
  Atanh: steepAtInput((m, x) => inverse(m, fromOne(m, m.square(x)))),
}

/** x above 0: ẋ·above; else ẋ·below(x). */
const bent = (
  below: (m: Maths, x: string, call: TangentCall) => string,
  above: (call: TangentCall) => number = () => 1,
) =>
  slope((m, call) => {
    const x = call.input(0)
    return m.where(m.more(x, m.number(0)), m.number(above(call)), below(m, x, call))
  })

/** s + a·x·s′ with s the logistic function of a·x. */
function gated(m: Maths, x: string, a: number): string {
  const inner = m.scaled(x, a)
  return m.sum(m.op('Sigmoid', [inner]), m.times(inner, m.logisticSlope(inner)))
}

function gelu(m: Maths, x: string): string {
  const half = m.scaled(m.shifted(m.op('Erf', [m.scaled(x, Math.SQRT1_2)]), 1), 0.5)
  const density = m.op('Exp', [m.scaled(m.square(x), -0.5)])
  return m.sum(half, m.scaled(m.times(x, density), 0.3989422804014327))
}

function geluTanh(m: Maths, x: string): string {
  const [scale, cube] = [0.7978845608028654, 0.044715]
  const squared = m.square(x)
  const inside = m.scaled(m.times(x, m.shifted(m.scaled(squared, cube), 1)), scale)
  const t = m.op('Tanh', [inside])
  const inner = m.scaled(m.shifted(m.scaled(squared, 3 * cube), 1), scale)
  const rest = m.times(m.times(x, inner), fromOne(m, m.square(t)))
  return m.scaled(m.sum(m.shifted(t, 1), rest), 0.5)
}

const exponent = (call: TangentCall) => call.number('alpha', 1.702)

export const activations: Rules = {
  Relu: single((call, dx) => {
    const m = call.maths
    return m.times(dx, m.above(call.output()))
  }),
  LeakyRelu: slope((m, call) => {
    const below = call.number('alpha', 0.01)
    return m.shifted(m.scaled(m.above(call.input(0)), 1 - below), below)
  }),
  ThresholdedRelu: single((call, dx) => {
    const m = call.maths
    return m.times(dx, m.above(call.input(0), call.number('alpha', 1)))
  }),
  Elu: bent((m, x, call) => m.scaled(m.op('Exp', [x]), call.number('alpha', 1))),
  Selu: bent(
    (m, x, call) => {
      const alpha = call.number('alpha', 1.6732631921768188)
      return m.scaled(m.op('Exp', [x]), alpha * call.number('gamma', 1.0507010221481323))
    },
    (call) => call.number('gamma', 1.0507010221481323),
  ),
  Celu: bent((m, x, call) => m.op('Exp', [m.scaled(x, 1 / call.number('alpha', 1))])),
  Sigmoid: atInput((m, x) => m.logisticSlope(x)),
  Tanh: atOutput((m, y) => fromOne(m, m.square(y))),
  HardSigmoid: single((call, dx) => {
    const m = call.maths
    const y = call.output()
    const inside = m.times(m.above(y), m.below(y, 1))
    return m.times(dx, m.dimmed(inside, call.number('alpha', 0.2)))
  }),
  // y = x·h, h = min(1, max(0, x/6 + ½)): h + x/6 where −3 ≤ x ≤ 3, h elsewhere. In operators of one
  // shape without constants, which a convolution's layout passes through.
  HardSwish: slope((m, call) => {
    const x = call.input(0)
    const h = m.op('HardSigmoid', [x], { alpha: { f: 1 / 6 }, beta: { f: 0.5 } })
    const inside = m.dimmed(m.below(m.square(x), nextTo(9, true)), 1 / 6)
    return m.sum(h, m.times(x, inside))
  }),
  Softplus: atInput((m, x) => m.op('Sigmoid', [x])),
  Softsign: atInput((m, x) => inverse(m, m.square(m.shifted(m.op('Abs', [x]), 1)))),
  // x·tanh(log(1 + e)) with tanh(log(1 + e)) = n/(n + 2), n = e(e + 2), e = exp(x), which is 1 soon.
  Mish: slope((m, call) => {
    const x = call.input(0)
    const e = m.op('Exp', [m.where(m.less(x, m.number(20)), x, m.number(20))])
    const n = m.times(e, m.shifted(e, 2))
    const t = m.over(n, m.shifted(n, 2))
    const rest = m.times(m.times(x, m.op('Sigmoid', [x])), fromOne(m, m.square(t)))
    return m.sum(t, rest)
  }),
  Swish: slope((m, call) => gated(m, call.input(0), call.number('alpha', 1))),
  Shrink: single((call, dx) => {
    const m = call.maths
    const size = m.op('Abs', [call.input(0)])
    return m.where(m.more(size, m.number(call.number('lambd', 0.5))), dx)
  }),
  Gelu: slope((m, call) =>
    call.text('approximate', 'none') === 'tanh'
      ? geluTanh(m, call.input(0))
      : gelu(m, call.input(0)),
  ),
  'com.microsoft::Gelu': atInput(gelu),
  'com.microsoft::QuickGelu': slope((m, call) => gated(m, call.input(0), exponent(call))),
}

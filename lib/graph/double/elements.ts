// Element-wise operators that onnxruntime has in float32 only.
import { type Lower, type Lowering, withNumber } from './scope.js'

type Formula = (call: Lowering, x: string) => string

const zero = (call: Lowering) => call.write.double(0)
const positive: Formula = (call, x) => call.write.one('Max', [x, zero(call)])
const negative: Formula = (call, x) => call.write.one('Min', [x, zero(call)])
const times = (call: Lowering, x: string, value: number) => withNumber(call, 'Mul', x, value)
const plus = (call: Lowering, x: string, value: number) => withNumber(call, 'Add', x, value)

/** alpha·(exp(min(x, 0)/scale) − 1) + max(x, 0). */
function exponential(call: Lowering, x: string, alpha: number, scale: number): string {
  const inner = withNumber(call, 'Div', negative(call, x), scale)
  const tail = times(call, plus(call, call.write.one('Exp', [inner]), -1), alpha)
  return call.write.one('Add', [positive(call, x), tail])
}

function hardSigmoid(call: Lowering, x: string, alpha: number, beta: number): string {
  const line = plus(call, times(call, x, alpha), beta)
  return call.write.one('Min', [positive(call, line), call.write.double(1)])
}

/** max(x, 0) + log(1 + exp(−|x|)). */
const softplus: Formula = (call, x) => {
  const { write } = call
  const tail = write.one('Exp', [write.one('Neg', [write.one('Abs', [x])])])
  return write.one('Add', [positive(call, x), write.one('Log', [plus(call, tail, 1)])])
}

/** p(x) by Horner's rule, the highest power first. */
function polynomial(call: Lowering, x: string, coefficients: readonly number[]): string {
  const [first = 0, ...rest] = coefficients
  let sum = times(call, x, first)
  rest.forEach((value, k) => {
    sum = plus(call, sum, value)
    if (k < rest.length - 1) sum = call.write.one('Mul', [sum, x])
  })
  return sum
}

// W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969):
// relative error below 1e-15 in each of the three ranges.
const small = {
  p: [
    0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302,
    3209.3775891384694,
  ],
  q: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
}
const middle = {
  p: [
    2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163,
    298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
  ],
  q: [
    1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903,
    3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495,
  ],
}
const large = {
  p: [
    0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926,
    0.016083785148742275, 0.0006587491615298378,
  ],
  q: [
    1, 2.568520192289822, 1.8729528499234604, 0.5279051029514285, 0.06051834131244132,
    0.0023352049762686918,
  ],
}

function ratio(call: Lowering, x: string, { p, q }: { p: number[]; q: number[] }): string {
  return call.write.one('Div', [polynomial(call, x, p), polynomial(call, x, q)])
}

const erf: Formula = (call, x) => {
  const { write } = call
  const abs = write.one('Abs', [x])
  const near = write.one('Min', [abs, write.double(0.5)])
  const inside = write.one('Mul', [near, ratio(call, write.one('Mul', [near, near]), small)])
  // Beyond 6 the function is 1 to the last bit.
  const far = write.one('Min', [write.one('Max', [abs, write.double(0.46875)]), write.double(6)])
  const square = write.one('Mul', [far, far])
  const density = write.one('Exp', [write.one('Neg', [square])])
  const between = ratio(call, write.one('Min', [far, write.double(4)]), middle)
  const outer = write.one('Max', [far, write.double(4)])
  const inverse = write.one('Reciprocal', [write.one('Mul', [outer, outer])])
  const series = write.one('Mul', [inverse, ratio(call, inverse, large)])
  const tail = write.one('Div', [
    write.one('Sub', [write.double(1 / Math.sqrt(Math.PI)), series]),
    outer,
  ])
  const less = (bound: number) => write.one('Less', [abs, write.double(bound)])
  const complement = write.one('Mul', [density, write.one('Where', [less(4), between, tail])])
  const outside = write.one('Sub', [write.double(1), complement])
  const value = write.one('Where', [less(0.46875), inside, outside])
  return write.one('Mul', [write.one('Sign', [x]), value])
}

const gelu: Formula = (call, x) => {
  const { write } = call
  const cube = write.one('Mul', [x, write.one('Mul', [x, x])])
  const inner =
    call.text('approximate', 'none') === 'tanh'
      ? write.one('Tanh', [
          times(call, write.one('Add', [x, times(call, cube, 0.044715)]), Math.sqrt(2 / Math.PI)),
        ])
      : erf(call, times(call, x, Math.SQRT1_2))
  return write.one('Mul', [times(call, x, 0.5), plus(call, inner, 1)])
}

const formulas: Record<string, Formula> = {
  Elu: (call, x) => exponential(call, x, call.float('alpha', 1), 1),
  Celu: (call, x) => exponential(call, x, call.float('alpha', 1), call.float('alpha', 1)),
  Selu: (call, x) => {
    const alpha = call.float('alpha', 1.6732631921768188)
    return times(call, exponential(call, x, alpha, 1), call.float('gamma', 1.0507010221481323))
  },
  LeakyRelu: (call, x) =>
    call.write.one('Add', [
      positive(call, x),
      times(call, negative(call, x), call.float('alpha', 0.009999999776482582)),
    ]),
  PRelu: (call, x) =>
    call.write.one('Add', [
      positive(call, x),
      call.write.one('Mul', [call.input(1), negative(call, x)]),
    ]),
  ThresholdedRelu: (call, x) =>
    call.write.one('Where', [
      call.write.one('Greater', [x, call.write.double(call.float('alpha', 1))]),
      x,
      zero(call),
    ]),
  Shrink: (call, x) => {
    const { write } = call
    const [lambda, bias] = [call.float('lambd', 0.5), call.float('bias', 0)]
    const less = write.one('Less', [x, write.double(-lambda)])
    const more = write.one('Greater', [x, write.double(lambda)])
    const above = write.one('Where', [more, plus(call, x, -bias), zero(call)])
    return write.one('Where', [less, plus(call, x, bias), above])
  },
  HardSigmoid: (call, x) => hardSigmoid(call, x, call.float('alpha', 0.2), call.float('beta', 0.5)),
  HardSwish: (call, x) => call.write.one('Mul', [x, hardSigmoid(call, x, 1 / 6, 0.5)]),
  Softplus: softplus,
  Softsign: (call, x) => call.write.one('Div', [x, plus(call, call.write.one('Abs', [x]), 1)]),
  Mish: (call, x) => call.write.one('Mul', [x, call.write.one('Tanh', [softplus(call, x)])]),
  Swish: (call, x) =>
    call.write.one('Mul', [x, call.write.one('Sigmoid', [times(call, x, call.float('alpha', 1))])]),
  Tan: (call, x) => call.write.one('Div', [call.write.one('Sin', [x]), call.write.one('Cos', [x])]),
  Erf: erf,
  Gelu: gelu,
  Mean: (call) => {
    const inputs = call.node.input
    return withNumber(call, 'Div', call.write.one('Sum', [...inputs]), inputs.length)
  },
}

export const elementwise: Record<string, Lower> = Object.fromEntries(
  Object.entries(formulas).map(([op, formula]): [string, Lower] => [
    op,
    (call) => {
      call.write.last(call.output, 'Identity', [formula(call, call.input(0))])
      return undefined
    },
  ]),
)

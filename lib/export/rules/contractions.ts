// Products: linear in each operand, so that the tangent is the same product with one operand's
// tangent in its place, added up. Changes of weights that are known in two thin factors stay so.
import type { Attribute } from '../../onnx/writer.js'
import { type Rules, rankOf, type TangentCall, type TangentRule } from '../rule.js'

const inputs = (call: TangentCall) => Array.from({ length: call.count }, (_, k) => call.input(k))

/** The sum over the operands of the same node with one operand's tangent. */
const multilinear: TangentRule = {
  tangent(call) {
    const m = call.maths
    const own = inputs(call)
    return [
      own.reduce<string | undefined>((total, _, k) => {
        const tangent = call.tangent(k)
        if (tangent === undefined) return total
        return m.add(total, m.again(call.node, own.with(k, tangent))[0])
      }, undefined),
    ]
  },
}

function matMul(call: TangentCall): string | undefined {
  const m = call.maths
  const product = (a: string, b: string) => m.op('MatMul', [a, b])
  const [a, b] = [call.input(0), call.input(1)]
  const [ta, tb] = [call.thin(0), call.thin(1)]
  let total: string | undefined
  if (ta) total = product(ta.left, product(ta.right, b))
  else {
    const da = call.tangent(0)
    if (da !== undefined) total = product(da, b)
  }
  if (tb) return m.add(total, product(product(a, tb.left), tb.right))
  const db = call.tangent(1)
  return m.add(total, db === undefined ? undefined : product(a, db))
}

/** Y = α·A·B + β·C, A and B perhaps transposed; what is there already goes in as C. */
function gemm(call: TangentCall): string | undefined {
  const m = call.maths
  const [alpha, beta] = [call.number('alpha', 1), call.number('beta', 1)]
  const turned = {
    transA: { i: call.integer('transA', 0) },
    transB: { i: call.integer('transB', 0) },
  }
  let total: string | undefined
  const product = (
    a: string,
    b: string,
    factor: number,
    { transA = { i: 0 }, transB = { i: 0 } }: Record<string, Attribute>,
  ): string => {
    // Before opset 11 there must be something to add.
    const add = total ?? (m.opset < 11 ? m.number(0) : undefined)
    const terms = add === undefined ? [a, b] : [a, b, add]
    return m.op('Gemm', terms, { alpha: { f: factor }, transA, transB })
  }
  const dc = call.has(2) ? call.tangent(2) : undefined
  if (dc !== undefined) total = m.scaled(dc, beta)
  const only = total
  const da = call.tangent(0)
  if (da !== undefined) total = product(da, call.input(1), alpha, turned)
  const thin = call.thin(1)
  if (thin) {
    const back = turned.transB.i === 1
    const [first, second] = back ? [thin.right, thin.left] : [thin.left, thin.right]
    const sum = total
    total = undefined
    const narrow = product(call.input(0), first, alpha, turned)
    total = sum
    total = product(narrow, second, 1, { transB: turned.transB })
  } else {
    const db = call.tangent(1)
    if (db !== undefined) total = product(call.input(0), db, alpha, turned)
  }
  return total !== undefined && total === only ? m.spread(total, call.output()) : total
}

/** A bias as long as the channels, seen as broadcast over what lies behind them. */
function channels(call: TangentCall, bias: string): string {
  const behind = rankOf(call) - 2
  return call.maths.reshape(bias, [-1, ...Array.from({ length: behind }, () => 1)])
}

function convolution(call: TangentCall): string | undefined {
  const m = call.maths
  const [x, w] = [call.input(0), call.input(1)]
  const [dx, db] = [call.tangent(0), call.has(2) ? call.tangent(2) : undefined]
  const conv = (a: string, b: string, bias?: string) =>
    m.again(call.node, bias === undefined ? [a, b] : [a, b, bias])[0] as string
  const through = dx === undefined ? undefined : conv(dx, w, db)
  // One of the two takes the bias with it.
  const rest = through === undefined ? db : undefined
  const thin = call.thin(1)
  const kernel = call.shape(w)
  if (thin && kernel && call.node.opType === 'Conv' && call.integer('group', 1) === 1) {
    const [, ...window] = kernel as number[]
    const ones = window.slice(1).map(() => 1)
    const narrow = conv(x, m.reshape(thin.right, [-1, ...window]))
    const left = m.reshape(thin.left, [kernel[0] as number, -1, ...ones])
    return m.add(through, m.op('Conv', rest === undefined ? [narrow, left] : [narrow, left, rest]))
  }
  const dw = call.tangent(1)
  if (dw !== undefined) return m.add(through, conv(x, dw, rest))
  if (rest !== undefined) return m.spread(channels(call, rest), call.output())
  return through
}

const rankKnown = (call: TangentCall) =>
  call.shape(call.input(0)) ? undefined : 'the rank of its input is not known'

export const contractions: Rules = {
  MatMul: { tangent: (call) => [matMul(call)] },
  Gemm: { tangent: (call) => [gemm(call)] },
  Conv: { tangent: (call) => [convolution(call)], refuse: rankKnown },
  ConvTranspose: { tangent: (call) => [convolution(call)], refuse: rankKnown },
  Einsum: multilinear,
}

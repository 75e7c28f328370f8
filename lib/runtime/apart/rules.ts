// Operators that keep the samples of a batch apart, and where their outputs have them. What is not here,
// or here under other conditions, is found out by numbers: see independence.ts.
import { moves } from './moves.js'
import { type At, along, broadcast, counted, type Part, type Rule, same } from './parts.js'

/** The first input has the samples on this axis, and no other has any. */
const first =
  (axis: number): Rule =>
  (at) =>
    at.samples(0)?.axis === axis && at.same(1) ? at.part(0) : undefined

/** The same where only the first output is known. */
const firstOnly =
  (axis: number): Rule =>
  (at) => {
    const part = first(axis)(at) as Part | undefined
    return part && [part]
  }

/** Each entry by itself. */
const each: Rule = (at) => (at.samples(0) && at.same(1) ? at.part(0) : undefined)

/** Of a node that draws random numbers in training alone. */
const isTrained = (at: At) =>
  at.int('training_mode', 0) !== 0 || (at.node.op === 'Dropout' && at.has(2))

const eachUntrained: Rule = (at) => (isTrained(at) ? undefined : each(at))

/** Along one axis, which is not that of the samples. */
const alongAxis =
  (name: string, otherwise: number): Rule =>
  (at) => {
    const x = at.samples(0)
    if (!x || !at.same(1)) return undefined
    return at.axis(name, otherwise, x.rank) === x.axis ? undefined : x
  }

/** From the axis on. */
const fromAxis =
  (otherwise: number): Rule =>
  (at) => {
    const x = at.samples(0)
    if (!x || !at.same(1)) return undefined
    return x.axis < at.axis('axis', otherwise, x.rank) ? x : undefined
  }

const softmax: Rule = (at) => (at.node.opset >= 13 ? alongAxis('axis', -1)(at) : fromAxis(1)(at))

const batchNormalization: Rule = (at) =>
  at.node.opset >= 7 && !isTrained(at) && at.node.outputs.length === 1 ? first(0)(at) : undefined

const matMul: Rule = (at) => {
  const [a, b] = [at.samples(0), at.samples(1)]
  const ranks = [a?.rank ?? at.shape(0)?.length ?? 0, b?.rank ?? at.shape(1)?.length ?? 0]
  if (ranks.some((rank) => rank < 2)) return undefined
  const rank = Math.max(...ranks)
  const inBatch = (part: { axis: number; rank: number }) => part.axis < part.rank - 2
  if (a && b) return inBatch(a) && inBatch(b) ? broadcast(at, [0, 1]) : undefined
  const own = a ?? b
  if (!own || !at.same(a ? 1 : 0, a ? 2 : 1)) return undefined
  if (inBatch(own)) return broadcast(at, [0, 1])
  const kept = a ? own.rank - 2 : own.rank - 1
  return own.axis === kept ? along(own.axis + rank - own.rank, rank) : undefined
}

const gemm: Rule = (at) => {
  const a = at.samples(0)
  if (a?.rank !== 2 || !at.same(1, 2)) return undefined
  if (a.axis !== (at.int('transA', 0) === 0 ? 0 : 1)) return undefined
  const c = at.part(2)
  const fits = () => {
    if (c?.kind === 'samples') return c.axis === 0 && c.rank === 2
    const shape = at.shape(2)
    return c?.kind === 'same' && shape !== undefined && (shape.length < 2 || shape[0] === 1)
  }
  return !at.has(2) || fits() ? along(0, 2) : undefined
}

const recurrent: Rule = (at) => {
  const x = at.samples(0)
  if (x?.axis !== 1 || x.rank !== 3 || at.int('layout', 0) !== 0) return undefined
  const holds = (k: number, axis: number, rank: number) => {
    const part = at.samples(k)
    return !at.has(k) || (part?.axis === axis && part.rank === rank)
  }
  const fits = at.same(1, 4) && holds(4, 0, 1) && holds(5, 1, 3) && holds(6, 1, 3) && at.same(7)
  return fits ? [along(2, 4), along(1, 3), along(1, 3)] : undefined
}

/** Axes that are summed over and the like. */
const reduce: Rule = (at) => {
  const x = at.samples(0)
  const axes = at.list('axes', 1)?.map((axis) => counted(axis, x?.rank ?? 0))
  if (!x || !at.same(1) || !axes?.length || axes.includes(x.axis)) return undefined
  return reduced(at, x, axes)
}

const reduceOne: Rule = (at) => {
  const x = at.samples(0)
  if (!x) return undefined
  const axis = at.axis('axis', 0, x.rank)
  return axis === x.axis ? undefined : reduced(at, x, [axis])
}

function reduced(at: At, { axis, rank }: { axis: number; rank: number }, axes: readonly number[]) {
  if (at.int('keepdims', 1) !== 0) return along(axis, rank)
  const gone = [...new Set(axes)]
  return along(axis - gone.filter((other) => other < axis).length, rank - gone.length)
}

const cumSum: Rule = (at) => {
  const x = at.samples(0)
  const axis = at.numbers(1)?.[0]
  return x && axis !== undefined && counted(axis, x.rank) !== x.axis ? x : undefined
}

const table = (rule: Rule, operators: string) =>
  operators.split(/\s+/).map((name) => [name, rule] as const)

const rules: ReadonlyMap<string, Rule> = new Map([
  ...table(
    each,
    `Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh DequantizeLinear Elu Erf Exp Floor Gelu
    HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu
    Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu`,
  ),
  ...table(
    broadcast,
    `Add And BitShift Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow
    Sub Sum Where Xor`,
  ),
  ...table(eachUntrained, 'Dropout'),
  ...table(
    first(0),
    `Conv ConvTranspose AveragePool LpPool GlobalAveragePool GlobalLpPool GlobalMaxPool DepthToSpace
    GroupNormalization InstanceNormalization LRN SpaceToDepth`,
  ),
  // Its second output counts from the first sample on.
  ...table(firstOnly(0), 'MaxPool'),
  ...table(batchNormalization, 'BatchNormalization'),
  ...table(fromAxis(-1), 'LayerNormalization RMSNormalization SimplifiedLayerNormalization'),
  ...table(alongAxis('axis', -1), 'LpNormalization TopK'),
  ...table(softmax, 'Hardmax LogSoftmax Softmax'),
  ...table(matMul, 'MatMul'),
  ...table(gemm, 'Gemm'),
  ...table(recurrent, 'GRU LSTM RNN'),
  ...table(
    reduce,
    `ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare`,
  ),
  ...table(reduceOne, 'ArgMax ArgMin'),
  ...table(cumSum, 'CumSum'),
  ...moves,
])

/** Operators whose numbers are not told by their inputs, or that hold graphs of their own. */
const others = /^Random|^Multinomial$|^Bernoulli$|^If$|^Loop$|^Scan$|^Sequence|^Optional/

/** Has an operator a rule? */
export const hasRule = ({ op, domain }: { op: string; domain: string }): boolean =>
  domain === '' && rules.has(op)

/** Are an operator's outputs the same wherever its inputs are? */
export const isFunction = ({ op, domain }: { op: string; domain: string }): boolean =>
  domain === '' && !others.test(op)

/** Parts of all outputs of a node; undefined where samples may meet. */
export function partsOf(at: At): readonly (Part | undefined)[] | undefined {
  const { node } = at
  if (!at.parts) return undefined
  if (at.same(0))
    return isFunction(node) && !isTrained(at) ? node.outputs.map(() => same) : undefined
  const found = hasRule(node) ? rules.get(node.op)?.(at) : undefined
  if (!found) return undefined
  return 'kind' in found ? node.outputs.map(() => found) : found
}

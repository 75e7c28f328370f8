// Operators that let no derivative through, and those that are refused.
import type { NodeSpec } from '../support/onnx.js'
import type { Draw } from './draw.js'

export interface CutCase {
  op: string
  /** Uses a (n, 3), which depends on a parameter, through the operator; floats (n, …). */
  use(d: Draw, a: string): string
}

const asFloat = (d: Draw, x: string): string => d.node('Cast', [x], { to: 1 })

function comparison(op: string): CutCase {
  return { op, use: (d, a) => asFloat(d, d.node(op, [a, d.constant([], [0.3])])) }
}

function logical(op: string): CutCase {
  return {
    op,
    use(d, a) {
      const positive = d.node('Greater', [a, d.constant([], [0])])
      const inputs =
        op === 'Not' ? [positive] : [positive, d.node('Less', [a, d.constant([], [1])])]
      return asFloat(d, d.node(op, inputs))
    },
  }
}

function elementWise(op: string): CutCase {
  return { op, use: (d, a) => asFloat(d, d.node(op, [a])) }
}

function bitwise(op: string): CutCase {
  return {
    op,
    use(d, a) {
      const bits = d.node('Cast', [d.node('Abs', [a])], { to: op === 'BitShift' ? 13 : 7 })
      const inputs = op === 'BitwiseNot' ? [bits] : [bits, bits]
      return asFloat(d, d.node(op, inputs, op === 'BitShift' ? { direction: 'LEFT' } : {}))
    },
  }
}

/** Makes an array out of constants; times a zero that depends on the samples. */
function maker(op: string, make: (d: Draw, a: string) => string): CutCase {
  return {
    op,
    use(d, a) {
      const rows = d.node('Cast', [d.node('IsNaN', [a])], { to: 1 })
      const sum = d.node('ReduceSum', [make(d, a)], { keepdims: 0 })
      return d.node('Add', [rows, sum])
    },
  }
}

export const cutCases: readonly CutCase[] = [
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map(comparison),
  ...['Not', 'And', 'Or', 'Xor'].map(logical),
  ...['IsNaN', 'IsInf', 'Floor', 'Ceil', 'Round', 'Sign', 'Hardmax'].map(elementWise),
  ...['BitShift', 'BitwiseAnd', 'BitwiseNot', 'BitwiseOr', 'BitwiseXor'].map(bitwise),
  ...['ArgMax', 'ArgMin'].map((op) => ({
    op,
    use: (d: Draw, a: string) => asFloat(d, d.node(op, [a], { axis: 1 })),
  })),
  maker('Shape', (d, a) =>
    asFloat(d, d.node('Slice', [d.node('Shape', [a]), d.integers([1]), d.integers([2])])),
  ),
  maker('Size', (d, a) => {
    const rows = d.node('Slice', [d.node('Shape', [a]), d.integers([0]), d.integers([1])])
    return asFloat(d, d.node('Div', [d.node('Size', [a]), rows]))
  }),
  maker('ConstantOfShape', (d) => d.node('ConstantOfShape', [d.integers([2])])),
  maker('Constant', (d) => d.constant([2], [1, 2])),
  maker('EyeLike', (d) => d.node('EyeLike', [d.constant([2, 2], [0, 0, 0, 0])])),
  maker('NonZero', (d, a) => {
    const found = d.node('NonZero', [d.node('IsNaN', [a])])
    return asFloat(d, found)
  }),
  maker('RandomNormal', (d) => zeroed(d, d.node('RandomNormal', [], { shape: [2] }))),
  maker('RandomUniform', (d) => zeroed(d, d.node('RandomUniform', [], { shape: [2] }))),
  maker('RandomNormalLike', (d, a) => zeroed(d, d.node('RandomNormalLike', [a]))),
  maker('RandomUniformLike', (d, a) => zeroed(d, d.node('RandomUniformLike', [a]))),
  ...['HannWindow', 'HammingWindow', 'BlackmanWindow'].map((op) =>
    maker(op, (d) => d.node(op, [d.integers([4], [])])),
  ),
  maker('NonMaxSuppression', (d) => {
    const boxes = d.initializer([1, 2, 4], [0, 0, 1, 1, 2, 2, 3, 3])
    const scores = d.initializer([1, 1, 2], [0.5, 0.7])
    return asFloat(d, d.node('NonMaxSuppression', [boxes, scores, d.integers([2])]))
  }),
  maker('MelWeightMatrix', (d) =>
    d.node('MelWeightMatrix', [
      d.integers([4], []),
      d.integers([8], []),
      d.integers([800], []),
      d.initializer([], [0]),
      d.initializer([], [400]),
    ]),
  ),
]

function zeroed(d: Draw, x: string): string {
  return d.node('Mul', [x, d.constant([], [0])])
}

export interface RefusedCase {
  op: string
  /** Part of the sentence. */
  why: string
  attributes?: NodeSpec['attributes']
  /** Default: three times a value that depends on a parameter. */
  inputs?: readonly string[]
  outputs?: readonly string[]
  opset?: number
}

export const refusedCases: readonly RefusedCase[] = [
  ...['If', 'Loop', 'Scan', 'SequenceMap'].map((op) => ({
    op,
    why: 'its body is a graph of its own',
  })),
  ...[
    'QuantizeLinear',
    'DynamicQuantizeLinear',
    'QLinearConv',
    'QLinearMatMul',
    'ConvInteger',
    'MatMulInteger',
    'com.microsoft::MatMulNBits',
    'com.microsoft::QuantizeLinear',
  ].map((op) => ({ op, why: 'quantised numbers' })),
  ...['Bernoulli', 'Multinomial'].map((op) => ({ op, why: 'random numbers' })),
]

/** Forms of operators that otherwise are differentiated. `a` depends on a parameter. */
export const refusedForms: readonly RefusedCase[] = [
  {
    op: 'BatchNormalization',
    why: 'training mode',
    inputs: ['a', 'a', 'a', 'a', 'a'],
    attributes: { training_mode: 1 },
  },
  {
    op: 'BatchNormalization',
    why: 'training mode',
    inputs: ['a', 'a', 'a', 'a', 'a'],
    outputs: ['y', 'mean', 'var'],
    opset: 9,
  },
  { op: 'Resize', why: 'antialias', inputs: ['a', '', 'x'], attributes: { antialias: 1 } },
  {
    op: 'Resize',
    why: 'leaves out',
    inputs: ['a', '', 'x'],
    attributes: { mode: 'cubic', exclude_outside: 1 },
  },
  { op: 'ScatterND', why: 'reduction "mul"', attributes: { reduction: 'mul' } },
  { op: 'ScatterElements', why: 'reduction "max"', attributes: { reduction: 'max' } },
  {
    op: 'Resize',
    why: 'the scales that it resizes by depend on parameters',
    inputs: ['x', '', 'a'],
    attributes: { mode: 'linear' },
  },
  {
    op: 'Resize',
    why: 'the region that it reads depends on parameters',
    inputs: ['x', 'a', '', 'x'],
    attributes: { mode: 'cubic', coordinate_transformation_mode: 'tf_crop_and_resize' },
  },
  {
    op: 'Upsample',
    why: 'the scales that it resizes by depend on parameters',
    inputs: ['x', 'a'],
    attributes: { mode: 'linear' },
    opset: 9,
  },
  { op: 'DequantizeLinear', why: 'quantised numbers' },
  { op: 'MaxPool', why: 'three spatial axes', attributes: { kernel_shape: [1, 1, 1, 1] } },
  { op: 'LSTM', why: 'clips', attributes: { clip: { f: 1 } } },
  { op: 'LSTM', why: 'coupled', attributes: { input_forget: 1 } },
  {
    op: 'LSTM',
    why: 'activation functions',
    attributes: { activations: ['Relu', 'Tanh', 'Tanh'] },
  },
  { op: 'LSTM', why: 'peepholes', inputs: ['a', 'a', 'a', '', '', '', '', 'a'] },
  { op: 'GRU', why: 'lengths', inputs: ['a', 'a', 'a', '', 'x'] },
  { op: 'RNN', why: 'batch first', attributes: { layout: 1 } },
]

/** Other names of operators that have a row. */
export const aliases: Readonly<Record<string, string>> = {
  Scatter: 'ScatterElements',
  'com.microsoft::DequantizeLinear': 'DequantizeLinear',
}

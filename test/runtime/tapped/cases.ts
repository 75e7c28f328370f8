// Small graphs whose values are wanted one by one and together: every operator that makes integers,
// booleans or numbers of another type, and every pattern that onnxruntime's optimisers replace.
import { floats, ints, type NodeSpec, type Tensor } from '../../support/onnx.js'

export interface TappedCase {
  name: string
  nodes: NodeSpec[]
  /** Shape of x, float32, with its samples; or of whole numbers below 4. */
  shape: number[]
  whole: boolean
  opset: number
}

/** `Op(inputs){attributes}->outputs; …` */
function nodesOf(text: string): NodeSpec[] {
  return text.split(';').map((part): NodeSpec => {
    const found = /^\s*(\w+)\(([^)]*)\)(\{.*\})?->([\w,]+)\s*$/.exec(part)
    if (!found) throw new Error(part)
    const [, op = '', inputs = '', attributes = '{}', outputs = ''] = found
    return {
      op,
      inputs: inputs.split(','),
      outputs: outputs.split(','),
      attributes: JSON.parse(attributes.replace(/(\w+):/g, '"$1":')),
    }
  })
}

const wave = (shape: number[]) =>
  floats(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, e) => Math.cos(0.9 * e + 0.2)),
  )
const byte = (shape: number[], data: number[]): Tensor => ({ type: 'uint8', shape, data })
const bytes = (shape: number[]) =>
  byte(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, e) => (37 * e) % 255),
  )

export const constants: Record<string, Tensor> = {
  zero: ints([0], []),
  one: ints([1], []),
  two: ints([2], []),
  zeros: ints([0]),
  ones: ints([1]),
  twos: ints([2]),
  minus: ints([-1]),
  rows: ints([0, -1]),
  back: ints([-1, 4, 6]),
  tiles: ints([1, 2, 1]),
  pads: ints([0, 1, 0, 0, 1, 0]),
  pads4: ints([0, 0, 1, 1, 0, 0, 1, 1]),
  wider: ints([3, 1, 1, 1]),
  places: ints([0, 1, 1, 2], [2, 2]),
  flags: { type: 'bool', shape: [4], data: [1, 0, 1, 0] },
  E: wave([16, 3]),
  P: wave([16, 3]),
  W: wave([6, 5]),
  W6: wave([6, 6]),
  V6: wave([6, 6]),
  U: wave([5, 4]),
  K: wave([8, 4, 3, 3]),
  K8: wave([8, 8, 1, 1]),
  b3: wave([3]),
  b5: wave([5]),
  b6: wave([6]),
  b8: wave([8]),
  b811: wave([8, 1, 1]),
  v8: floats([8], [1, 2, 3, 4, 5, 6, 7, 8]),
  nothing: floats([], [0]),
  half: floats([], [0.5]),
  unit: floats([], [1]),
  six: floats([], [6]),
  eight: floats([], [8]),
  square: floats([], [2]),
  cube: floats([], [3]),
  tiny: floats([], [1e-5]),
  root: floats([], [Math.SQRT2]),
  g1: floats([], [0.044715]),
  g2: floats([], [0.7978845834732056]),
  quick: floats([], [1.702]),
  low: floats([], [-1e9]),
  qs: floats([], [0.02]),
  qz: byte([], [128]),
  Wq: bytes([6, 5]),
  Kq: bytes([8, 4, 3, 3]),
}

/** By name the code of the element type and the first opset that has it. */
const types: Record<string, [code: number, opset: number]> = {
  float32: [1, 18],
  uint8: [2, 18],
  int8: [3, 18],
  uint16: [4, 18],
  int16: [5, 18],
  int32: [6, 18],
  int64: [7, 18],
  string: [8, 18],
  bool: [9, 18],
  float16: [10, 18],
  float64: [11, 18],
  uint32: [12, 18],
  uint64: [13, 18],
  bfloat16: [16, 18],
  float8: [17, 19],
  uint4: [21, 21],
  int4: [22, 21],
}

/** Of c, which is x in another type. */
const unary = [
  ...['Identity', 'Neg', 'Abs', 'Sign', 'Flatten', 'Clip', 'Not', 'BitwiseNot', 'Shape', 'Size'],
  ...['NonZero', 'IsNaN', 'IsInf', 'Trilu', 'ReduceSum', 'ReduceMax', 'ReduceProd'],
].map((op) => `${op}(c)->r`)
const binary = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Pow', 'Equal', 'Less', 'GreaterOrEqual'],
  ...['And', 'Or', 'Xor', 'BitwiseAnd', 'BitwiseOr'],
].map((op) => `${op}(c,c)->r`)
const further = [
  'Transpose(c){perm:[1,0,2]}->r',
  'Unsqueeze(c,ones)->r',
  'Tile(c,tiles)->r',
  'Reshape(c,rows)->r',
  'Slice(c,zeros,twos,ones)->r',
  'Gather(c,one){axis:1}->r',
  'Concat(c,c){axis:1}->r',
  'Split(c){axis:1,num_outputs:2}->r,q',
  'Expand(c,wider)->r',
  'Pad(c,pads)->r',
  'BitShift(c,c){direction:"LEFT"}->r',
  'ArgMax(c){axis:1}->r',
  'ArgMin(c){axis:-1}->r',
  'TopK(c,twos)->r,q',
  'Unique(c)->r,q,v,w',
  'CumSum(c,one)->r',
  'Compress(c,flags){axis:1}->r',
  'GatherND(c,places)->r',
  'CastLike(x,c)->r',
  'Greater(x,half)->g;Where(g,c,c)->r',
  'Dropout(c)->r,m',
  'Transpose(c){perm:[0,2,1]}->t;MatMul(c,t)->r',
  'SequenceConstruct(c,c)->q;SequenceAt(q,one)->r;SequenceLength(q)->l',
  'SplitToSequence(c){axis:1}->q',
  'Optional(c)->q;OptionalHasElement(q)->h;OptionalGetElement(q)->r',
]

const count = 'Shape(x)->s;Gather(s,zero)->n;'
const range = `${count}Range(zero,n,one)->r;`
const normalised = (x: string, square = `Pow(${x}d,square)->p`) =>
  `ReduceMean(${x}){axes:[-1]}->mean;Sub(${x},mean)->${x}d;${square};ReduceMean(p){axes:[-1]}->v;Add(v,tiny)->e;Sqrt(e)->sd;Div(${x}d,sd)->z;Mul(z,b6)->zw;Add(zw,b6)->y`
const fast = (x: string) =>
  `Pow(${x},cube)->a;Mul(a,g1)->b;Add(${x},b)->c;Mul(c,g2)->e;Tanh(e)->t;Add(t,unit)->u;Mul(${x},half)->v;Mul(v,u)->y`
const convolved = 'Conv(x,K,b8)->c;'
const quantised = 'QuantizeLinear(x,qs,qz)->q;DequantizeLinear(q,qs,qz)->d;'

/** By the shape of x what an optimiser may replace; whole: x holds indices. */
const patterns: [
  shape: number[],
  texts: string[],
  options?: { opset?: number; whole?: boolean },
][] = [
  [
    [2, 4, 6],
    [
      `${range}Gather(E,r)->y`,
      `${range}Gather(x,r){axis:1}->y`,
      `${range}Range(zero,n,one)->q;Gather(E,r)->y;Gather(P,q)->z`,
      `${range}Add(r,one)->r1;Gather(E,r1)->y`,
      `${range}Unsqueeze(r,zeros)->u;Gather(E,u)->y`,
      `${count}Cast(n){to:6}->n32;Cast(zero){to:6}->z32;Cast(one){to:6}->o32;Range(z32,n32,o32)->r;Gather(E,r)->y`,
      'Shape(x)->s;Gather(s,zeros)->n1;Squeeze(n1,zeros)->n;Range(zero,n,one)->r;Gather(E,r)->y',
      'Shape(x)->s;Slice(s,zeros,ones)->n;ConstantOfShape(n)->k;Cast(k){to:9}->c;Not(c)->m;NonZero(m)->nz;Squeeze(nz,zeros)->r;Gather(E,r)->y',
      'Greater(x,half)->g;Not(g)->m;Where(m,x,nothing)->y',
      'Greater(x,half)->g;Not(g)->m;Not(m)->k;Where(k,x,nothing)->y',
      'Greater(x,half)->g;Cast(g){to:1}->c;Cast(c){to:9}->h;Where(h,x,nothing)->y',
      'Shape(x)->s;Gather(s,zeros)->a;Concat(a,minus){axis:0}->t;Reshape(x,t)->y',
      'Reshape(x,rows)->a;Reshape(a,back)->y',
      'Cast(x){to:7}->c;Shape(c)->s;ConstantOfShape(s)->k',
      'Unsqueeze(b6,zeros)->u;Add(x,u)->y',
      'Shape(x)->s;Expand(x,s)->e;Relu(e)->y',
      'Add(x,nothing)->a;Mul(a,unit)->b;Div(b,unit)->d;Relu(d)->y',
      'Cast(x){to:7}->a;Identity(a)->b;Identity(b)->c;Cast(c){to:1}->y',
      'Cast(x){to:11}->a;Cast(a){to:1}->b;Cast(b){to:11}->c;Cast(c){to:1}->d;Relu(d)->y',
      'Dropout(x)->a,m;Relu(a)->y',
      'Div(unit,x)->a;Mul(a,x)->y',
      'Relu(x)->a;Relu(x)->b;Shape(a)->s;Shape(b)->t;Add(s,t)->y',
      'Transpose(x){perm:[0,2,1]}->t;MatMul(x,t)->s;Div(s,eight)->d;Add(d,half)->m;Softmax(m)->p;MatMul(p,x)->y',
      'Mul(x,half)->a;Transpose(x){perm:[0,2,1]}->t;Div(t,half)->b;MatMul(a,b)->c;Mul(c,half)->y',
      'Add(x,b6)->a;Softmax(a)->y',
      'Add(x,b6)->a;Dropout(a)->b;Add(b,x)->y',
      'Div(x,root)->a;Erf(a)->e;Add(e,unit)->p;Mul(x,p)->m;Mul(m,half)->y',
      'Add(x,b6)->h;Div(h,root)->a;Erf(a)->e;Add(e,unit)->p;Mul(h,p)->m;Mul(m,half)->y',
      'Mul(x,quick)->a;Sigmoid(a)->s;Mul(x,s)->y',
      fast('x'),
      `MatMul(x,W6)->m;Add(m,b6)->h;${fast('h')}`,
      'MatMul(x,W)->a;Add(a,b5)->y',
      'Transpose(x){perm:[0,2,1]}->a;Relu(a)->b;Transpose(b){perm:[0,2,1]}->c;Add(c,x)->y',
      'Transpose(x){perm:[0,2,1]}->a;ArgMax(a){axis:1,keepdims:0}->b;Cast(b){to:1}->y',
      'TopK(x,twos)->v,i;GatherElements(x,i){axis:2}->y',
      'Shape(x)->s;Gather(s,one)->t;Range(zero,t,one)->r;Unsqueeze(r,ones)->a;Unsqueeze(r,zeros)->b;GreaterOrEqual(a,b)->m;Transpose(x){perm:[0,2,1]}->u;MatMul(x,u)->c;Where(m,c,low)->d;Softmax(d)->y',
      `${quantised}Relu(d)->y`,
      'Relu(x)->r;QuantizeLinear(r,qs,qz)->q;DequantizeLinear(q,qs,qz)->y',
      `${quantised}DequantizeLinear(Wq,qs,qz)->w;MatMul(d,w)->c;QuantizeLinear(c,qs,qz)->u;DequantizeLinear(u,qs,qz)->y`,
      'DynamicQuantizeLinear(x)->q,s,z;MatMulInteger(q,Wq,z,qz)->m;Cast(m){to:1}->f;Mul(s,qs)->t;Mul(f,t)->g;Add(g,b5)->y',
    ],
  ],
  [
    [2, 4, 6],
    [
      normalised('x'),
      `Add(x,b6)->h0;Add(h0,x)->h;${normalised('h')}`,
      'Pow(x,square)->p;ReduceMean(p){axes:[-1]}->v;Add(v,tiny)->e;Sqrt(e)->sd;Div(x,sd)->z;Mul(z,b6)->y',
      'Add(x,b6)->h0;Add(h0,x)->h;LayerNormalization(h,b6,b6)->y',
    ],
    { opset: 17 },
  ],
  [
    [4, 6],
    [
      'MatMul(x,W)->a;Add(a,b5)->b;Relu(b)->y',
      ...['Relu', 'Sigmoid', 'Tanh', 'LeakyRelu', 'Elu'].map((op) => `Gemm(x,W,b5)->a;${op}(a)->y`),
      'Transpose(x){perm:[1,0]}->t;Transpose(U){perm:[1,0]}->u;Gemm(t,u)->g;Transpose(g){perm:[1,0]}->y',
      'Transpose(x){perm:[1,0]}->t;Relu(U)->v;Transpose(v){perm:[1,0]}->u;Gemm(t,u)->y',
      'Gemm(x,W)->g;Sum(g,b5)->y',
    ],
  ],
  [
    [2, 4, 6, 6],
    [
      `${convolved}Relu(c)->y`,
      `${convolved}Clip(c,nothing,six)->y`,
      `${convolved}Mul(c,b811)->m;Add(m,b811)->y`,
      `${convolved}BatchNormalization(c,b8,b8,b8,v8)->b;Relu(b)->y`,
      `${convolved}Conv(c,K8,b8)->d;Add(c,d)->e;Relu(e)->y`,
      'Pad(x,pads4)->p;Conv(p,K,b8)->y',
      'Pad(x,pads4)->p;MaxPool(p){kernel_shape:[2,2]}->y,i',
      'MaxPool(x){kernel_shape:[2,2],strides:[2,2]}->y,i;MaxUnpool(y,i){kernel_shape:[2,2],strides:[2,2]}->z',
      'Transpose(x){perm:[0,2,3,1]}->a;Relu(a)->b;Transpose(b){perm:[0,3,1,2]}->c;Conv(c,K)->y',
      `${quantised}DequantizeLinear(Kq,qs,qz)->k;Conv(d,k)->c;Relu(c)->r;QuantizeLinear(r,qs,qz)->u;DequantizeLinear(u,qs,qz)->y`,
    ],
  ],
  [
    [2, 4],
    [
      'Shape(x)->s;Gather(s,one)->t;Range(zero,t,one)->r;Unsqueeze(r,zeros)->u;Expand(u,s)->p;Gather(E,x)->a;Gather(P,p)->b;Add(a,b)->c;LayerNormalization(c,b3,b3)->y',
      'Shape(x)->s;Gather(s,one)->t;Range(zero,t,one)->r;Gather(E,x)->a;Gather(P,r)->b;Add(a,b)->c;LayerNormalization(c,b3,b3)->y',
      'Equal(x,zero)->e;Not(e)->m;Cast(m){to:1}->f;Where(m,f,nothing)->y',
    ],
    { opset: 17, whole: true },
  ],
]

function ofType([type, [code, opset]]: [string, [number, number]]): TappedCase[] {
  const cast = `Cast(x){to:${code}}->c`
  const texts = [
    cast,
    ...[...unary, ...binary, ...further].map((text) => `${cast};${text}`),
    `${count}Cast(n){to:${code}}->m;Cast(zero){to:${code}}->a;Cast(one){to:${code}}->b;Range(a,m,b)->r`,
    `Shape(x)->s;ConstantOfShape(s)->k;Cast(k){to:${code}}->r`,
  ]
  return texts.map((text) => ({
    name: `${type}: ${text}`,
    nodes: nodesOf(text),
    shape: [2, 4, 6],
    whole: false,
    opset,
  }))
}

export const ofTypes: readonly TappedCase[] = Object.entries(types).flatMap(ofType)

export const replaced: readonly TappedCase[] = patterns.flatMap(
  ([shape, texts, { opset = 18, whole = false } = {}]) =>
    texts.map((text) => ({ name: text, nodes: nodesOf(text), shape, whole, opset })),
)

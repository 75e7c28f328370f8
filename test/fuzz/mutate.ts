// Random changes to small models: of bytes, and of the message so that it still decodes.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
} from '../../lib/protobuf/index.js'
import { Random } from '../support/random.js'

const root = fileURLToPath(new URL('../../../test/exporters/networks', import.meta.url))

/** The models that are changed: all that the exporters' tests read, with their data in the file. */
export function seedModels(): { name: string; bytes: Uint8Array }[] {
  const names = readdirSync(root).flatMap((net) =>
    readdirSync(`${root}/${net}`)
      .filter((file) => file.endsWith('.onnx') && !file.includes('external'))
      .map((file) => `${net}/${file}`),
  )
  return names.sort().map((name) => ({ name, bytes: readFileSync(`${root}/${name}`) }))
}

const operators =
  'Add Sub Mul Div MatMul Gemm Conv Relu Sigmoid Tanh Softmax Transpose Reshape Flatten Concat Split Slice Gather Squeeze Unsqueeze ReduceMean ReduceSum Clip Pow Sqrt Exp Log Neg Abs Identity Expand Tile Pad MaxPool AveragePool GlobalAveragePool BatchNormalization LayerNormalization Where Cast Shape Dropout Resize ConvTranspose Einsum CumSum Loop If GRU Nonsense'.split(
    ' ',
  )
const unary =
  'Relu Sigmoid Tanh Softmax LogSoftmax Elu Selu Celu LeakyRelu HardSigmoid HardSwish Softplus Softsign Exp Sqrt Abs Neg Erf Sin Cos Identity Flatten Transpose GlobalAveragePool GlobalMaxPool ReduceSum ReduceMean ReduceL2 ReduceMax Gelu Mish Reciprocal Floor Sign Not Hardmax Dropout'.split(
    ' ',
  )
const sizes = [0, 1, 2, 3, 4, 5, 7, 8, 16, 255, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32, -1, -2, -100]
const large = [2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)]

function size(random: Random): bigint {
  return random.chance(0.05) ? random.pick(large) : BigInt(random.pick(sizes))
}

function changeBytes(source: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(source)
  for (let n = random.pick([1, 1, 1, 2, 4, 16]); n > 0; n--) {
    const at = random.integer(0, bytes.length - 1)
    const length = random.pick([1, 2, 4, 16, 100])
    const part = bytes.subarray(at, at + length)
    switch (random.integer(0, 5)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7))
        break
      case 1:
        bytes[at] = random.pick([0, 1, 127, 128, 255, random.integer(0, 255)])
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
        break
      case 4:
        bytes = bytes.subarray(0, Math.max(1, at))
        break
      default:
        part.fill(random.pick([0, 255]))
    }
    if (bytes.length === 0) break
  }
  return bytes
}

function changeTensor(tensor: TensorProto, random: Random): void {
  switch (random.integer(0, 5)) {
    case 0:
      tensor.dims = tensor.dims.map((dim) => (random.chance() ? size(random) : dim))
      break
    case 1:
      tensor.dims = random.chance() ? [...tensor.dims, 1n] : tensor.dims.slice(1)
      break
    case 2:
      tensor.dims = [...tensor.dims].reverse()
      break
    case 3:
      tensor.dataType = random.integer(0, 26)
      break
    case 4:
      tensor.rawData = tensor.rawData.slice(0, random.integer(0, tensor.rawData.length))
      break
    default: {
      // A shape that agrees with its data, so that what uses it is tried.
      const count = tensor.dims.reduce((product, dim) => product * dim, 1n)
      tensor.dims = random.chance() ? [count] : [1n, count]
    }
  }
}

function changeAttribute(attribute: AttributeProto, random: Random): void {
  switch (random.integer(0, 6)) {
    case 0:
      attribute.i = size(random)
      break
    case 1:
      attribute.ints = attribute.ints.map((value) => (random.chance() ? size(random) : value))
      break
    case 2:
      attribute.ints = random.chance() ? [...attribute.ints, size(random)] : attribute.ints.slice(1)
      break
    case 3:
      attribute.f = random.pick([
        0,
        -1,
        1e38,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        random.normal(),
      ])
      break
    case 4:
      attribute.type = random.integer(0, 14)
      break
    case 5:
      attribute.name = random.pick([
        'axis',
        'axes',
        'alpha',
        'perm',
        'pads',
        'strides',
        'group',
        'to',
      ])
      break
    default:
      if (attribute.t) changeTensor(attribute.t, random)
      else attribute.s = new TextEncoder().encode(random.pick(['', 'SAME_UPPER', 'nonsense']))
  }
}

/** A value to read: mostly one that is there already, so that the graph stays sound. */
function someValue(graph: GraphProto, before: number, random: Random): string {
  const nodes = random.chance(0.9) ? graph.node.slice(0, before) : graph.node
  const names = [
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...nodes.flatMap(({ output }) => output),
  ]
  return random.chance(0.05) ? '' : random.pick([...names, 'x'])
}

function changeNode(graph: GraphProto, random: Random): void {
  const at = random.integer(0, graph.node.length - 1)
  const node = graph.node[at] as NodeProto
  const value = () => someValue(graph, at, random)
  const choice = random.integer(0, 8)
  if (choice <= 2) {
    node.opType = random.pick(node.input.length === 1 && random.chance(0.8) ? unary : operators)
  } else if (choice <= 4 && node.input.length > 0) {
    node.input[random.integer(0, node.input.length - 1)] = value()
  } else if (choice === 5) {
    node.input = random.chance() ? node.input.slice(1) : [...node.input].reverse()
  } else if (choice === 6) node.input.push(value())
  else if (choice === 7) node.attribute = node.attribute.slice(1)
  else if (choice === 8 && random.chance(0.3)) {
    node.output = random.chance() ? [] : [...node.output, 'extra']
  } else if (node.attribute.length > 0) changeAttribute(random.pick(node.attribute), random)
}

function changeMessage(proto: ModelProto, random: Random): void {
  const graph = proto.graph
  if (!graph) return
  for (let n = random.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const node = graph.node.length > 0 ? random.pick(graph.node) : undefined
    const tensor = graph.initializer.length > 0 ? random.pick(graph.initializer) : undefined
    const choice = random.integer(0, 15)
    if (choice <= 4) {
      if (node) changeNode(graph, random)
    } else if (choice <= 7) {
      const attributes = graph.node.flatMap(({ attribute }) => attribute)
      if (attributes.length > 0) changeAttribute(random.pick(attributes), random)
    } else if (choice <= 9) {
      if (tensor) changeTensor(tensor, random)
    } else if (choice === 10) {
      graph.node = graph.node.filter((entry) => entry !== node)
    } else if (choice === 11 && node) {
      graph.node.splice(random.integer(0, graph.node.length), 0, node)
    } else if (choice === 12) {
      graph.initializer = graph.initializer.filter((entry) => entry !== tensor)
    } else if (choice === 13) {
      for (const entry of proto.opsetImport) entry.version = BigInt(random.integer(0, 30))
    } else if (choice === 14) {
      const dims = graph.input.flatMap(({ type }) =>
        type?.value.case === 'tensorType' ? (type.value.value.shape?.dim ?? []) : [],
      )
      if (dims.length > 0) random.pick(dims).value = { case: 'dimValue', value: size(random) }
    } else {
      const type = random.pick(graph.input)?.type?.value
      if (type?.case === 'tensorType') type.value.elemType = random.integer(0, 23)
    }
  }
}

/** The model number `index`: which file it came from, and its bytes. */
export function mutant(
  seeds: readonly { name: string; bytes: Uint8Array }[],
  index: number,
): { name: string; bytes: Uint8Array } {
  const random = new Random(index * 7919 + 17)
  const { name, bytes } = random.pick(seeds)
  if (random.chance(0.2)) return { name, bytes: changeBytes(bytes, random) }
  const proto = fromBinary(ModelProtoSchema, bytes)
  changeMessage(proto, random)
  try {
    return { name, bytes: toBinary(ModelProtoSchema, proto) }
  } catch {
    // A number that its field cannot hold.
    return { name, bytes: changeBytes(bytes, random) }
  }
}

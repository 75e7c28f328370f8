// What each weight of a loaded network does, as far as a new draw needs it.
import { shapeSize } from '../core/shape.js'
import type { Architecture } from '../model/architecture.js'
import type { NativeNode } from '../native/index.js'

/** A weight's part in the network. */
export interface WeightRole {
  /**
   * `weight`: multiplies activations. `rows`: an embedding. `bias`: added after a weight. `scale`,
   * `shift`: of a norm. `kept`: numbers that no scheme speaks of, such as a slope.
   */
  kind: 'weight' | 'rows' | 'bias' | 'scale' | 'shift' | 'kept'
  /** Numbers that are summed into one output of the layer; 0 where a bias's layer is not known. */
  fanIn: number
  /** Outputs that one input of the layer goes to. */
  fanOut: number
}

type Fans = Pick<WeightRole, 'fanIn' | 'fanOut'>

/** A weight where it is used at last, behind copies and transpositions. */
interface Use {
  node: NativeNode
  position: number
  /** The weight's shape as the node sees it. */
  shape: number[]
}

/** Roles by name of the parameter; undefined where the use tells none. */
export function weightRoles(architecture: Architecture): Map<string, WeightRole | undefined> {
  const { nodes } = architecture.graph.native
  const readers = new Map<number, NativeNode>()
  const makers = new Map<number, NativeNode>()
  for (const node of nodes) {
    for (const id of node.inputs) if (!readers.has(id)) readers.set(id, node)
    for (const id of node.outputs) makers.set(id, node)
  }
  const shapes = new Map(architecture.graph.weights.map(({ id, shape }) => [id, shape]))
  const roles = new Map<string, WeightRole | undefined>()
  for (const { parameter, weight } of architecture.active) {
    const use = lastUse(weight.id, weight.shape, readers)
    roles.set(parameter.name, use && roleOf(use, makers, shapes))
  }
  return roles
}

function lastUse(
  weight: number,
  own: readonly number[],
  readers: ReadonlyMap<number, NativeNode>,
): Use | undefined {
  let id = weight
  let shape = [...own]
  for (;;) {
    const node = readers.get(id)
    if (!node) return undefined
    if (node.op === 'Transpose') {
      const perm = ints(node, 'perm') ?? shape.map((_, axis) => shape.length - 1 - axis)
      shape = perm.map((axis) => shape[axis] as number)
    } else if (node.op !== 'Identity' && node.op !== 'Cast') {
      return { node, position: node.inputs.indexOf(id), shape }
    }
    id = node.outputs[0] as number
  }
}

function roleOf(
  use: Use,
  makers: ReadonlyMap<number, NativeNode>,
  shapes: ReadonlyMap<number, readonly number[]>,
): WeightRole | undefined {
  const { node, position, shape } = use
  const vector = shape.filter((size) => size !== 1).length <= 1
  const fans = fansOf(node, position, shape)
  if (fans) return { kind: 'weight', ...fans }
  const bias = (layer: NativeNode | undefined): WeightRole => ({
    kind: 'bias',
    ...(fansOfLayer(layer, makers, shapes) ?? { fanIn: 0, fanOut: 0 }),
  })
  const norm = /Normalization$/.test(node.op)
  if (norm && (position === 1 || position === 2)) {
    return { kind: position === 1 ? 'scale' : 'shift', fanIn: 0, fanOut: 0 }
  }
  switch (node.op) {
    case 'Gemm':
    case 'Conv':
    case 'ConvTranspose':
      return position === 2 ? bias(node) : undefined
    case 'Add':
      return vector ? bias(makers.get(node.inputs[1 - position] as number)) : undefined
    case 'Mul':
      return vector ? { kind: 'scale', fanIn: 0, fanOut: 0 } : undefined
    case 'PRelu':
      return position === 1 ? { kind: 'kept', fanIn: 0, fanOut: 0 } : undefined
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return position === 3 ? { kind: 'bias', fanIn: 0, fanOut: 0 } : undefined
    case 'Gather':
      return position === 0 && shape.length === 2
        ? { kind: 'rows', fanIn: 1, fanOut: shape[1] as number }
        : undefined
    default:
      return undefined
  }
}

/** Of the weight of a layer whose output a bias is added to. */
function fansOfLayer(
  layer: NativeNode | undefined,
  makers: ReadonlyMap<number, NativeNode>,
  shapes: ReadonlyMap<number, readonly number[]>,
): Fans | undefined {
  if (!layer) return undefined
  for (const [position, id] of layer.inputs.slice(0, 2).entries()) {
    const maker = makers.get(id)
    const transposed = maker?.op === 'Transpose' ? maker : undefined
    const stored = shapes.get((transposed?.inputs[0] ?? id) as number)
    if (!stored) continue
    const perm =
      transposed && (ints(transposed, 'perm') ?? stored.map((_, a) => stored.length - 1 - a))
    const shape = perm?.map((axis) => stored[axis] as number) ?? [...stored]
    const fans = fansOf(layer, position, shape)
    if (fans) return fans
  }
  return undefined
}

/** Fans of a weight that a node takes as input `position`; undefined where it is none. */
function fansOf(node: NativeNode, position: number, shape: readonly number[]): Fans | undefined {
  const [first = 1, second = 1, ...rest] = shape
  const [rows = 1, columns = 1] = shape.slice(-2)
  switch (node.op) {
    case 'Gemm': {
      if (position > 1 || shape.length !== 2) return undefined
      // y = A·B: inputs along A's columns and B's rows.
      const turned = int(node, position === 0 ? 'transA' : 'transB', 0) !== 0
      return (position === 0) === turned
        ? { fanIn: rows, fanOut: columns }
        : { fanIn: columns, fanOut: rows }
    }
    case 'MatMul':
      if (shape.length < 2) return undefined
      return position === 1 ? { fanIn: rows, fanOut: columns } : { fanIn: columns, fanOut: rows }
    case 'Conv': {
      if (position !== 1) return undefined
      const size = shapeSize(rest)
      return { fanIn: second * size, fanOut: (first / int(node, 'group', 1)) * size }
    }
    case 'ConvTranspose': {
      if (position !== 1) return undefined
      const size = shapeSize(rest)
      return { fanIn: (first / int(node, 'group', 1)) * size, fanOut: second * size }
    }
    case 'LSTM':
    case 'GRU':
    case 'RNN': {
      if (position !== 1 && position !== 2) return undefined
      const gates = { LSTM: 4, GRU: 3, RNN: 1 }[node.op]
      return { fanIn: columns, fanOut: rows / gates }
    }
    default:
      return undefined
  }
}

function int(node: NativeNode, name: string, fallback: number): number {
  const value = node.attributes[name]
  return value && 'i' in value ? value.i : fallback
}

function ints(node: NativeNode, name: string): number[] | undefined {
  const value = node.attributes[name]
  return value && 'ints' in value ? [...value.ints] : undefined
}

// BatchNormalization behind a convolution, folded into its weights: what onnxruntime does with a
// network by itself, and cannot once the tangent reads what lies between the two.

import { nativeAttributes } from '../graph/attributes.js'
import { capturedBy } from '../graph/captures.js'
import type { NdArray } from '../io/index.js'
import { makeNode } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import type { NodeProto } from '../protobuf/index.js'
import type { ParameterChange } from './change.js'

export interface FoldSource {
  nodes: readonly NodeProto[]
  /** The network's outputs, which must stay. */
  outputs: readonly string[]
  changes: ReadonlyMap<string, ParameterChange>
  /** Stored float32 numbers. */
  stored(name: string): NdArray<Float32Array> | undefined
  /** Stores an array under a name like this one. */
  store(name: string, array: NdArray<Float32Array>): string
}

export interface Folded {
  /** As many as before: a folded BatchNormalization is an Identity. */
  nodes: NodeProto[]
  /** Places of nodes that are others now. */
  places: Set<number>
  changes: Map<string, ParameterChange>
}

/** How often each value is read. */
export function uses(nodes: readonly NodeProto[], outputs: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  const read = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const node of nodes) for (const name of [...node.input, ...capturedBy(node)]) read(name)
  for (const name of outputs) read(name)
  return counts
}

/** The convolution and the normalization behind it, with the names that they read alone. */
interface Pair {
  conv: number
  norm: number
  names: {
    weight: string
    bias: string
    scale: string
    shift: string
    mean: string
    variance: string
  }
  epsilon: number
}

function pairs({ nodes, outputs }: FoldSource): Pair[] {
  const counts = uses(nodes, outputs)
  const alone = (name: string) => name === '' || counts.get(name) === 1
  const makers = new Map(nodes.flatMap((node, at) => node.output.map((name) => [name, at])))
  return nodes.flatMap((node, norm): Pair[] => {
    const [x = '', scale = '', shift = '', mean = '', variance = ''] = node.input
    const conv = makers.get(x)
    const before = nodes[conv ?? -1]
    const plain = node.opType === 'BatchNormalization' && node.domain === '' && alone(x)
    if (!plain || conv === undefined || before?.opType !== 'Conv' || before.domain !== '') return []
    const [, weight = '', bias = ''] = before.input
    if (![weight, bias, scale, shift].every(alone)) return []
    const { epsilon } = nativeAttributes(node)
    const small = epsilon && 'f' in epsilon ? epsilon.f : 1e-5
    return [{ conv, norm, names: { weight, bias, scale, shift, mean, variance }, epsilon: small }]
  })
}

/** a·x by rows, a number for each. */
function byRows(x: ArrayLike<number>, a: ArrayLike<number>): Float64Array {
  const width = x.length / a.length
  return Float64Array.from(x, (value, e) => value * (a[Math.floor(e / width)] as number))
}

const total = (a: ArrayLike<number> | undefined, b: Float64Array) =>
  a ? b.map((value, e) => value + (a[e] as number)) : b

const float32 = (data: ArrayLike<number>, shape: readonly number[]): NdArray<Float32Array> => ({
  data: Float32Array.from(data),
  shape: [...shape],
})

/** A whole change's numbers; undefined where there is none. */
function whole(change: ParameterChange | undefined): ArrayLike<number> | undefined {
  if (!change) return undefined
  if ('data' in change) return change.data as Float32Array
  const { left, right } = change
  const [m = 0, rank = 0] = left.shape
  const [, k = 0] = right.shape
  const out = new Float64Array(m * k)
  for (let i = 0; i < m; i += 1) {
    for (let l = 0; l < rank; l += 1) {
      const factor = Number(left.data[i * rank + l])
      for (let j = 0; j < k; j += 1) {
        out[i * k + j] = (out[i * k + j] as number) + factor * Number(right.data[l * k + j])
      }
    }
  }
  return out
}

export function foldNormalizations(source: FoldSource): Folded {
  const nodes = [...source.nodes]
  const changes = new Map(source.changes)
  const places = new Set<number>()
  for (const { conv, norm, names, epsilon } of pairs(source)) {
    const { weight, bias, scale, shift, mean, variance } = names
    const known = [weight, scale, shift, mean, variance].map((name) => source.stored(name)?.data)
    const before = bias === '' ? undefined : source.stored(bias)?.data
    const fixed = !changes.has(mean) && !changes.has(variance)
    if (known.some((data) => data === undefined) || (bias !== '' && !before) || !fixed) continue
    const [w, s, b, m, v] = known as Float32Array[]
    if (!w || !s || !b || !m || !v) continue
    const inverse = Float64Array.from(v, (value) => 1 / Math.sqrt(value + epsilon))
    const slope = inverse.map((value, c) => value * (s[c] as number))
    // Of the convolution's own bias without the mean.
    const rest = Float64Array.from(m, (value, c) => (before?.[c] ?? 0) - value)
    const shape = source.stored(weight)?.shape ?? []
    const own = {
      weight: source.store(`${weight}/folded`, float32(byRows(w, slope), shape)),
      bias: source.store(`${shift}/folded`, float32(total(b, byRows(rest, slope)), [slope.length])),
    }

    const ds = whole(changes.get(scale))
    const moved = ds && inverse.map((value, c) => value * (ds[c] as number))
    const change = changes.get(weight)
    if (change && !('data' in change) && !moved) {
      const left = float32(byRows(change.left.data as Float32Array, slope), change.left.shape)
      changes.set(own.weight, { left, right: change.right })
    } else if (change || moved) {
      const dw = whole(change)
      const through = dw && byRows(dw, slope)
      const along = moved && byRows(w, moved)
      const sum = along ? total(through, along) : (through as Float64Array)
      changes.set(own.weight, float32(sum, shape))
    }
    const [dbias, dshift] = [whole(changes.get(bias)), whole(changes.get(shift))]
    const parts = [dbias && byRows(dbias, slope), moved && byRows(rest, moved)]
    const shifted = parts.reduce<ArrayLike<number> | undefined>(
      (sum, part) => (part ? total(sum, part) : sum),
      dshift,
    )
    if (shifted) changes.set(own.bias, float32(shifted, [slope.length]))
    for (const name of [weight, bias, scale, shift]) changes.delete(name)

    const [node, last] = [nodes[conv] as NodeProto, nodes[norm] as NodeProto]
    nodes[conv] = changed(node, { input: [node.input[0] as string, own.weight, own.bias] })
    const [made = '', result = ''] = [node.output[0], last.output[0]]
    nodes[norm] = makeNode('Identity', [made], [result], last.name)
    places.add(norm)
  }
  return { nodes, places, changes }
}

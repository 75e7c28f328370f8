// Operators that are written out as simpler ones, so that their derivative is the simpler ones'.

import {
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
} from '../protobuf/index.js'
import { normalDomain } from './decode.js'
import { valueInfo } from './values.js'
import { type Fresh, Writer } from './writer.js'

/** What the graph says of a value: its element type and its sizes, where it says. */
interface Declared {
  dataType: number
  shape: readonly unknown[] | null
}

interface Call {
  input(k: number): string
  output: string
  integer(name: string): number
  float(name: string): number | undefined
  declared(name: string): Declared | undefined
  write: Writer
}

/** Scaled dot-product attention: softmax(scale·Q Kᵀ + mask) V for every head. */
function attention(call: Call): boolean {
  const { write, input } = call
  const [q, k, v, mask] = [input(0), input(1), input(2), input(3)] as const
  const counts = [call.integer('q_num_heads'), call.integer('kv_num_heads')] as const
  const packed = rankOf(call, q, counts[0] > 0) === 3
  const maskType = mask === '' ? 0 : call.declared(mask)?.dataType
  // Caches, softcaps and the other outputs have no place in a network that is differentiated.
  const plain = [4, 5, 6].every((place) => input(place) === '') && !call.float('softcap')
  if (!plain || maskType === undefined || (packed && !(counts[0] > 0 && counts[1] > 0)))
    return false

  const split = (x: string, count: number, perm: number[]) =>
    write.one('Transpose', [write.one('Reshape', [x, write.ints(0, 0, count, -1)])], {
      perm: { ints: perm },
    })
  const heads = (x: string, count: number) => (packed ? split(x, count, [0, 2, 1, 3]) : x)
  const query = heads(q, counts[0])
  const [keys, values] = [heads(k, counts[1]), heads(v, counts[1])].map((x) =>
    sameHeads(call, packed, counts, q, k) ? x : repeated(write, x, query),
  ) as [string, string]
  const given = call.float('scale')
  const scale =
    given === undefined
      ? write.one('Reciprocal', [
          write.one('Sqrt', [write.one('CastLike', [write.sizes(query, -1), query])]),
        ])
      : write.number(given, query)
  let scores = write.one('MatMul', [
    write.one('Mul', [query, scale]),
    write.one('Transpose', [keys], { perm: { ints: [0, 1, 3, 2] } }),
  ])
  const hidden = () => write.number(-Infinity, scores)
  if (call.integer('is_causal') === 1) {
    const places = (start: number, axis: number) => {
      const size = write.one('Squeeze', [write.sizes(scores, start, start === -2 ? -1 : undefined)])
      const range = write.one('Range', [write.int(0), size, write.int(1)])
      return write.one('Unsqueeze', [range, write.ints(axis)])
    }
    const seen = write.one('GreaterOrEqual', [places(-2, 1), places(-1, 0)])
    scores = write.one('Where', [seen, scores, hidden()])
  }
  if (maskType === DataType.BOOL) scores = write.one('Where', [mask, scores, hidden()])
  else if (mask !== '') scores = write.one('Add', [scores, mask])
  const shares = write.one('Softmax', [scores], { axis: { i: -1 } })
  if (!packed) {
    write.last(call.output, 'MatMul', [shares, values])
    return true
  }
  const mixed = write.one('Transpose', [write.one('MatMul', [shares, values])], {
    perm: { ints: [0, 2, 1, 3] },
  })
  write.last(call.output, 'Reshape', [mixed, write.ints(0, 0, -1)])
  return true
}

function sameHeads(
  call: Call,
  packed: boolean,
  counts: readonly [number, number],
  q: string,
  k: string,
): boolean {
  if (packed) return counts[0] === counts[1]
  const [a, b] = [call.declared(q)?.shape?.[1], call.declared(k)?.shape?.[1]]
  return typeof a === 'number' && a === b
}

/** Heads of keys or values (B, H, S, D), each as often as the query has heads for it. */
function repeated(write: Writer, x: string, query: string): string {
  const times = write.one('Div', [write.sizes(query, 1, 2), write.sizes(x, 1, 2)])
  const shape = write.one('Concat', [write.ints(1, 1), times, write.ints(1, 1)], { axis: { i: 0 } })
  const all = write.one('Expand', [write.one('Unsqueeze', [x, write.ints(2)]), shape])
  const merged = write.one('Concat', [write.ints(0, -1), write.sizes(x, 2)], { axis: { i: 0 } })
  return write.one('Reshape', [all, merged])
}

/** Pairs of numbers in every head turned by the angles of their position. */
function rotaryEmbedding(call: Call): boolean {
  const { write, input } = call
  const x = input(0)
  const count = call.integer('num_heads')
  const packed = rankOf(call, x, count > 0) === 3
  if (packed && count <= 0) return false
  // (B, L, H, D) or (B, H, L, D); angles (B, L, D/2).
  const heads = packed ? write.one('Reshape', [x, write.ints(0, 0, count, -1)]) : x
  const angles = (table: string) => {
    const own = input(3) === '' ? table : write.one('Gather', [table, input(3)])
    return write.one('Unsqueeze', [own, write.ints(packed ? 2 : 1)])
  }
  const [cos, sin] = [angles(input(1)), angles(input(2))]
  const width = call.integer('rotary_embedding_dim')
  const cut = (from: number[], to: number[], step: number[]) =>
    write.one('Slice', [heads, ...[from, to, [-1], step].map((values) => write.ints(...values))])
  const end = 2 ** 31
  const turning = width > 0 ? cut([0], [width], [1]) : heads
  const interleaved = call.integer('interleaved') === 1
  const every = (start: number) =>
    write.one('Slice', [turning, ...[start, end, -1, 2].map((value) => write.ints(value))])
  const [a, b] = interleaved
    ? [every(0), every(1)]
    : (write.several('Split', [turning], 2, { axis: { i: -1 }, num_outputs: { i: 2 } }) as [
        string,
        string,
      ])
  const product = (p: string, r: string) => write.one('Mul', [p, r])
  const pair = [
    write.one('Sub', [product(a, cos), product(b, sin)]),
    write.one('Add', [product(a, sin), product(b, cos)]),
  ]
  let turned: string
  if (interleaved) {
    const columns = pair.map((part) => write.one('Unsqueeze', [part, write.ints(-1)]))
    const joined = write.one('Concat', columns, { axis: { i: -1 } })
    turned = write.one('Reshape', [joined, write.ints(0, 0, 0, -1)])
  } else {
    turned = write.one('Concat', pair, { axis: { i: -1 } })
  }
  if (width > 0) {
    turned = write.one('Concat', [turned, cut([width], [end], [1])], { axis: { i: -1 } })
  }
  if (packed) write.last(call.output, 'Reshape', [turned, write.ints(0, 0, -1)])
  else write.last(call.output, 'Identity', [turned])
  return true
}

/** The rank that the graph declares, or else 3 for a node that tells its heads and 4 for others. */
function rankOf(call: Call, name: string, tellsHeads: boolean): number {
  return call.declared(name)?.shape?.length ?? (tellsHeads ? 3 : 4)
}

const expansions: Readonly<Record<string, (call: Call) => boolean>> = {
  Attention: attention,
  RotaryEmbedding: rotaryEmbedding,
}

/** Operators whose result is boolean, as masks are made. */
const comparisons = new Set(
  'And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Xor'.split(' '),
)

/** The operators of ai.onnx that are written out. */
export const compositeOperators: readonly string[] = Object.keys(expansions)

export function isComposite({ domain, opType }: NodeProto): boolean {
  return normalDomain(domain) === '' && Object.hasOwn(expansions, opType)
}

/** Writes operators of a graph out. */
export class Composites {
  readonly #declared = new Map<string, Declared>()
  readonly #fresh: Fresh
  /** How many nodes were. */
  count = 0

  constructor(graph: GraphProto, fresh: Fresh) {
    this.#fresh = fresh
    for (const info of [...graph.input, ...graph.valueInfo, ...graph.output]) {
      this.#declared.set(info.name, valueInfo(info))
    }
    for (const { name, dataType, dims } of graph.initializer) {
      this.#declared.set(name, { dataType, shape: dims.map(Number) })
    }
    for (const { opType, output, attribute } of graph.node) {
      const [name = ''] = output
      if (this.#declared.has(name)) continue
      const tensor = attribute.find((entry) => entry.name === 'value')?.t
      const to = attribute.find((entry) => entry.name === 'to')?.i
      if (opType === 'Constant' && tensor) {
        const { dataType, dims } = tensor
        this.#declared.set(name, { dataType, shape: dims.map(Number) })
      } else if (opType === 'Cast' && to) {
        this.#declared.set(name, { dataType: Number(to), shape: null })
      } else if (comparisons.has(opType)) {
        this.#declared.set(name, { dataType: DataType.BOOL, shape: null })
      }
    }
  }

  /** The nodes that one of {@link isComposite} stands for; undefined for a form that is not known. */
  expand(node: NodeProto): NodeProto[] | undefined {
    const attributes = new Map(node.attribute.map((attribute) => [attribute.name, attribute]))
    const [output = '', ...others] = node.output
    if (output === '' || others.some((name) => name !== '')) return undefined
    const write = new Writer(node.name || output, this.#fresh)
    const done = expansions[node.opType]?.({
      input: (k) => node.input[k] ?? '',
      output,
      integer: (name) => Number(attributes.get(name)?.i ?? 0),
      float: (name) => attributes.get(name)?.f,
      declared: (name) => this.#declared.get(name),
      write,
    })
    if (!done) return undefined
    this.count += 1
    return write.nodes
  }
}

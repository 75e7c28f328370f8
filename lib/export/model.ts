// A network and its tangent along one change of its parameters as one ONNX model.
import { create, toBinary } from '@bufbuild/protobuf'
import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { capturedBy } from '../graph/captures.js'
import type { PreparedGraph } from '../graph/prepare.js'
import type { NdArray } from '../io/index.js'
import { arrayToTensor, isExternal, tensorToArray } from '../io/tensor.js'
import type { Core } from '../model/core.js'
import { FreshNames } from '../onnx/fresh.js'
import { type Dimension, type FileNote, initializerData, makeValueInfo } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { attributeOf, Writer } from '../onnx/writer.js'
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  StringStringEntryProtoSchema,
  type TensorProto,
} from '../protobuf/index.js'
import type { ValuesResult } from '../runtime/protocol.js'
import type { ParameterChange } from './change.js'
import { widenClips } from './clip.js'
import { type Folded, foldNormalizations } from './fold.js'
import { type Change, type NoTangent, type Source, tangentGraph, withoutTangent } from './graph.js'
import { orderSums } from './sums.js'

export interface Wanted {
  changes: ReadonlyMap<string, ParameterChange>
  /** Flat outputs, in this order; all without it. */
  outputs?: readonly number[] | undefined
  /** `sum`: f + ⟨X, Δ⟩ as one output; `pair`: the tangent, then f. */
  form: 'sum' | 'pair'
  note: FileNote
}

/** Stored numbers that rules may look at are few. */
const looked = 64

class Assembly {
  readonly #core: Core
  readonly #fresh: FreshNames
  readonly #initializers = new Map<string, TensorProto>()
  readonly #shapes = new Map<string, readonly Dimension[]>()

  constructor(core: Core) {
    this.#core = core
    const { architecture, weights } = core
    const { model, graph, fed } = architecture
    this.#fresh = new FreshNames(model.graph)
    for (const tensor of model.graph.initializer) this.#store(tensor)
    for (const { name, tensor } of graph.weights) {
      if (!this.#initializers.has(name)) this.#store(changed(tensor, { name }))
    }
    for (const { name, shape } of fed) {
      const data = weights.get(name)
      if (data) this.#store(arrayToTensor({ data, shape: [...shape] }, name))
    }
  }

  #store(tensor: TensorProto): void {
    this.#initializers.set(tensor.name, tensor)
    this.#shapes.set(tensor.name, tensor.dims.map(Number))
  }

  #add(name: string, array: NdArray): string {
    const own = this.#fresh.like(name)
    this.#store(arrayToTensor(array, own))
    return own
  }

  /** Changes of parameters become stored values. */
  changes(wanted: Wanted['changes']): Map<string, Change> {
    return new Map(
      [...wanted].map(([name, change]): [string, Change] => {
        if ('data' in change) return [name, { full: this.#add(`${name}/change`, change) }]
        const left = this.#add(`${name}/change/left`, change.left)
        return [name, { thin: { left, right: this.#add(`${name}/change/right`, change.right) } }]
      }),
    )
  }

  /** The same with BatchNormalization folded into convolutions. */
  fold(source: Source, changes: Wanted['changes']): Folded & { source: Source } {
    const { output, graph } = this.#core.architecture
    const folded = foldNormalizations({
      nodes: source.nodes,
      outputs: [output, ...graph.outputs],
      changes,
      stored: (name) => this.#numbers(name),
      store: (name, array) => this.#add(name, array),
    })
    const { places } = folded
    const form: Source['form'] = (index) => (places.has(index) ? undefined : source.form(index))
    const { nodes, widened } = widenClips({
      nodes: folded.nodes,
      outputs: [output, ...graph.outputs],
      isFree: (index) => source.onTheWay.has(index) && form(index) === undefined,
      stored: source.stored,
      store: (name, array) => this.#add(name, array),
    })
    return { ...folded, nodes, source: { ...source, nodes, form, widened } }
  }

  /** Stored float32 numbers that lie in the file, or present weights. */
  #numbers(name: string): NdArray<Float32Array> | undefined {
    const tensor = this.#initializers.get(name)
    if (!tensor || tensor.dataType !== DataType.FLOAT || isExternal(tensor)) return undefined
    const { data, shape } = tensorToArray(tensor, 'a weight')
    return data instanceof Float32Array ? { data, shape } : undefined
  }

  async source(): Promise<Source> {
    const { architecture, memory } = this.#core
    const { graph, host, analysis, model } = architecture
    const names = graph.nodes.flatMap(({ output }) => output).filter((name) => name !== '')
    const request = { type: 'values', names, memory } as const
    const { result } = host.ask<ValuesResult>(0, () => [], undefined, request, {})
    const { inferred } = await result
    for (const info of architecture.inputs) {
      if (info.shape) this.#shapes.set(info.name, info.shape)
    }
    for (const [name, { shape }] of inferred) {
      // Without dimensions the rank is not known.
      if (shape.length > 0) this.#shapes.set(name, shape.map(known))
    }
    const stored = (name: string): number[] | undefined => {
      const tensor = this.#initializers.get(name) ?? constantOf(graph.nodes, name)
      if (!tensor) return throughCopies(graph.nodes, name, stored)
      if (isExternal(tensor)) return undefined
      const count = tensor.dims.reduce((product, size) => product * Number(size), 1)
      if (count > looked) return undefined
      return Array.from(tensorToArray(tensor, 'a constant').data, Number)
    }
    return {
      nodes: graph.nodes,
      onTheWay: new Set(analysis.nodes),
      form: (index) => formOf(graph, index),
      opsets: model.opsets,
      shape: (name) => this.#shapes.get(name),
      stored,
      widened: new Set(),
      fresh: (name) => this.#fresh.like(name),
    }
  }

  /**
   * The samples' axis of the output, as names of dimensions or the only free one tell.
   * @throws TangentError UNSUPPORTED where they do not and it may be another than the first.
   */
  #axis(): number {
    const { inputs, likely, output, axes } = this.#core.architecture
    const said = axes.batchAxis?.[output]
    if (typeof said === 'number') return said
    const shape = this.#shapes.get(output) ?? []
    const batch = inputs.map(({ shape: own }, k) => {
      const place = likely[k]
      return typeof place === 'number' ? own?.[place] : undefined
    })
    const axis = shape.findIndex((size) => typeof size === 'string' && batch.includes(size))
    if (axis >= 0) return axis
    const free = shape.flatMap((size, k) => (typeof size === 'number' ? [] : [k]))
    if (free.length === 1 && batch.every((size) => typeof size !== 'number')) return free[0] ?? 0
    if (likely.every((place) => typeof place !== 'number' || place === 0)) return 0
    throw new TangentError(
      'UNSUPPORTED',
      `Expected names of dimensions that tell the samples' axis of output ${quote(output)} but there are none; options.batchAxis (--batch-axis ${output}=k) names it`,
    )
  }

  async model(nodes: readonly NodeProto[], tangent: string | undefined, wanted: Wanted) {
    const { architecture } = this.#core
    const { model, output, likely } = architecture
    const writer = new Writer('export', (name) => this.#fresh.like(name))
    const axis = this.#axis()
    const rank = this.#shapes.get(output)?.length
    const single = likely.includes('one')
    /** (N, O) of the outputs that are wanted. */
    const flat = (value: string) => {
      let own = value
      if (axis > 0 && rank !== undefined) {
        const order = Array.from({ length: rank }, (_, k) => k)
        own = writer.one('Transpose', [own], {
          perm: { ints: [axis, ...order.filter((k) => k !== axis)] },
        })
      }
      own = writer.one('Flatten', [own], { axis: { i: single ? 0 : 1 } })
      return wanted.outputs
        ? writer.one('Gather', [own, writer.ints(...wanted.outputs)], { axis: { i: 1 } })
        : own
    }
    const f = flat(output)
    const df = tangent === undefined ? zerosLike(writer, f) : flat(tangent)
    const named = (name: string, value: string) => {
      const own = this.#fresh.like(name)
      writer.last(own, 'Identity', [value])
      return own
    }
    const results =
      wanted.form === 'sum'
        ? [named('prediction', writer.one('Add', [f, df]))]
        : [named('tangent', df), named('value', f)]
    const count = wanted.outputs?.length ?? null
    const graph = await this.#pruned([...nodes, ...writer.nodes], results)
    const final = changed(graph, {
      output: results.map((name) => makeValueInfo(name, 1, [single ? 1 : 'N', count])),
    })
    const { proto } = model
    return toBinary(
      ModelProtoSchema,
      changed(proto, {
        graph: final,
        docString: wanted.note.docString,
        metadataProps: Object.entries(wanted.note.metadata).map(([key, value]) =>
          create(StringStringEntryProtoSchema, { key, value }),
        ),
      }),
    )
  }

  /** Only what the results need. */
  async #pruned(nodes: readonly NodeProto[], results: readonly string[]): Promise<GraphProto> {
    const { model } = this.#core.architecture
    const needed = new Set(results)
    const kept: NodeProto[] = []
    for (const node of [...nodes].reverse()) {
      if (!node.output.some((name) => name !== '' && needed.has(name))) continue
      kept.push(node)
      for (const name of [...node.input, ...capturedBy(node)]) needed.add(name)
    }
    const initializer: TensorProto[] = []
    for (const tensor of this.#initializers.values()) {
      if (!needed.has(tensor.name)) continue
      const far = isExternal(tensor)
      initializer.push(
        far ? arrayToTensor(await initializerData(model, tensor), tensor.name) : tensor,
      )
    }
    return changed(model.graph, {
      node: kept.reverse(),
      initializer,
      sparseInitializer: model.graph.sparseInitializer.filter(({ values }) =>
        needed.has(values?.name ?? ''),
      ),
      // An input that nothing reads stays: callers feed it.
      input: model.graph.input.filter(({ name }) => !this.#initializers.has(name)),
      valueInfo: [],
      quantizationAnnotation: [],
      metadataProps: [],
    })
  }
}

const known = (size: number | string): Dimension => {
  if (typeof size === 'number') return size < 0 ? null : size
  return size === '' ? null : size
}

function zerosLike(writer: Writer, value: string): string {
  return writer.one('ConstantOfShape', [writer.one('Shape', [value])])
}

function constantOf(nodes: readonly NodeProto[], name: string): TensorProto | undefined {
  const node = nodes.find(({ opType, output }) => opType === 'Constant' && output[0] === name)
  return node?.attribute.find((item) => item.name === 'value')?.t
}

/** What a copy of stored numbers holds, such as a bound that an exporter casts to its input's type. */
function throughCopies(
  nodes: readonly NodeProto[],
  name: string,
  stored: (name: string) => number[] | undefined,
): number[] | undefined {
  const node = nodes.find(({ output }) => output[0] === name)
  const to = node?.attribute.find((item) => item.name === 'to')?.i
  const single = node?.opType === 'Cast' && Number(to) === DataType.FLOAT
  if (!node || !(single || node.opType === 'Identity')) return undefined
  const numbers = stored(node.input[0] ?? '')
  return single ? numbers?.map(Math.fround) : numbers
}

/** A node as the derivatives take it, where that is another function than its operator's own. */
function formOf({ nodes, native }: PreparedGraph, index: number) {
  const [node, taken] = [nodes[index], native.nodes[index]]
  if (!node || !taken || taken.op === node.opType) return undefined
  const attribute = Object.entries(taken.attributes).flatMap(([name, value]) =>
    'f' in value || 'i' in value || 's' in value ? [attributeOf(name, value)] : [],
  )
  const input = taken.inputs.map((id) => native.values[id]?.name ?? '')
  return { node: changed(node, { opType: taken.op, input, attribute }), opset: taken.opset }
}

/**
 * The bytes of an ONNX model that computes the network and its tangent along a change.
 * @throws TangentError UNSUPPORTED with every node whose tangent has no standard form.
 */
export async function exportModel(core: Core, wanted: Wanted): Promise<Uint8Array<ArrayBuffer>> {
  core.checkAlive()
  core.architecture.checkSupported()
  const assembly = new Assembly(core)
  const folded = assembly.fold(await assembly.source(), wanted.changes)
  const { source } = folded
  const changes = assembly.changes(folded.changes)
  const refused = withoutTangent(source, changes)
  if (refused.length > 0) throw unsupported(refused)
  const graph = tangentGraph(source, changes)
  const { output } = core.architecture
  const tangent = graph.tangent(output)
  const read = tangent === undefined ? [output] : [output, tangent]
  const nodes = orderSums(graph.nodes, read, graph.own, source.fresh)
  return assembly.model(nodes, tangent, wanted)
}

/**
 * Can the tangent along any change of the parameters be exported?
 * @throws TangentError UNSUPPORTED with every node whose tangent has no standard form.
 */
export async function checkExportable(core: Core): Promise<void> {
  core.checkAlive()
  core.architecture.checkSupported()
  const source = await new Assembly(core).source()
  const changes = core.architecture.active.map(({ parameter: { name } }): [string, Change] => [
    name,
    { full: name },
  ])
  const refused = withoutTangent(source, new Map(changes))
  if (refused.length > 0) throw unsupported(refused)
}

function unsupported(refused: readonly NoTangent[]): TangentError {
  const list = refused.map(({ node, operator, why }) => `${operator} (node ${quote(node)}): ${why}`)
  return new TangentError(
    'UNSUPPORTED',
    `Expected operators whose tangent can be written in standard ONNX operators but ${refused.length} ${refused.length === 1 ? 'node has' : 'nodes have'} none: ${list.join(' | ')}; freeze what lies before them (a fitted model can be exported in the form of weights: form 'weights', --export-form weights)`,
  )
}

// The part of a model that tells which branches are taken and how often bodies run.
import { toBinary } from '@bufbuild/protobuf'
import { capturedBy } from '../graph/captures.js'
import { FreshNames } from '../onnx/fresh.js'
import { makeNode, makeValueInfo, type OnnxModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import { Writer } from '../onnx/writer.js'
import {
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataType as T,
} from '../protobuf/index.js'
import { bodyOf, runsThrough, scanForm, unrolledLimit } from './bodies.js'

export interface Question {
  node: NodeProto
  /** The value that answers: int64 numbers. */
  value: string
  /** Which of them counts. */
  place(length: number): number
}

export interface Slice {
  /** A small model whose outputs are the values of the questions. */
  model: OnnxModel
  bytes: Uint8Array
  questions: Question[]
}

/** Asks a condition, or the number of times that a body runs. */
class Asking {
  readonly writer: Writer
  readonly questions: Question[] = []
  readonly #fresh: FreshNames

  constructor(model: OnnxModel) {
    this.#fresh = new FreshNames(model.graph)
    this.writer = new Writer('decision', (name) => this.#fresh.like(name))
  }

  ask(node: NodeProto): void {
    const value = this.#value(node)
    const [axis = 0] = scanForm(node)?.inputAxes ?? []
    const place = (length: number) =>
      node.opType === 'Scan' && length > 0 ? (axis + length) % length : 0
    this.questions.push({ node, value: this.writer.one('Identity', [value]), place })
  }

  #value(node: NodeProto): string {
    const [first = '', condition = ''] = node.input
    const whole = (value: string) => this.writer.one('Cast', [value], { to: { i: T.INT64 } })
    if (node.opType === 'If') return whole(first)
    if (node.opType === 'Scan') return this.writer.one('Shape', [scanForm(node)?.scanned[0] ?? ''])
    if (runsThrough(node) && first !== '') {
      return condition === ''
        ? whole(first)
        : this.writer.one('Mul', [whole(first), whole(condition)])
    }
    return this.#counted(node)
  }

  /** A Loop that may end early runs, and lists its iterations. */
  #counted(node: NodeProto): string {
    const body = bodyOf(node, 'body') as GraphProto
    const list = this.#fresh.like('decision/iterations')
    const iteration = body.input[0]?.name ?? ''
    const inner = changed(body, {
      node: [...body.node, makeNode('Identity', [iteration], [list])],
      output: [...body.output, makeValueInfo(list, T.INT64)],
    })
    const output = [
      ...node.output.map((name) => (name === '' ? '' : this.#fresh.like(name))),
      this.#fresh.like('decision/list'),
    ]
    const attribute = node.attribute.map((item) =>
      item.name === 'body' ? changed(item, { g: inner }) : item,
    )
    // A Loop that does not end in time is refused; it need not be waited for.
    const most = this.writer.int(unrolledLimit + 1)
    const [given = ''] = node.input
    const limit =
      given === ''
        ? most
        : this.writer.one('Where', [this.writer.one('Less', [given, most]), given, most])
    const input = [limit, ...node.input.slice(1)]
    this.writer.nodes.push(changed(node, { name: list, input, output, attribute }))
    return this.writer.one('Size', [output.at(-1) as string])
  }
}

export function sliceFor(model: OnnxModel, nodes: readonly NodeProto[]): Slice {
  const asking = new Asking(model)
  for (const node of nodes) asking.ask(node)
  const { graph } = model
  const all = [...graph.node, ...asking.writer.nodes]
  const wanted = new Set(asking.questions.map(({ value }) => value))
  const kept: NodeProto[] = []
  for (const node of all.reverse()) {
    if (!node.output.some((name) => wanted.has(name))) continue
    kept.unshift(node)
    for (const name of [...node.input, ...capturedBy(node)]) wanted.add(name)
  }
  const input = graph.input.filter(({ name }) => wanted.has(name) && !model.initializers.has(name))
  const sliced = changed(graph, {
    node: kept,
    input,
    initializer: graph.initializer.filter(({ name }) => wanted.has(name)),
    sparseInitializer: graph.sparseInitializer.filter(({ values }) =>
      wanted.has(values?.name ?? ''),
    ),
    output: asking.questions.map(({ value }) => makeValueInfo(value, T.INT64)),
    valueInfo: [],
  })
  const proto = changed(model.proto, { graph: sliced })
  const own = { ...model, graph: sliced, proto }
  return { model: own, bytes: toBinary(ModelProtoSchema, proto), questions: asking.questions }
}

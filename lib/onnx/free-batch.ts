// Networks exported with a fixed batch of several samples, made to take any number.
import { create } from '@bufbuild/protobuf'
import { isExternal, tensorToArray } from '../io/tensor.js'
import {
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
} from '../protobuf/index.js'
import { checkGraph } from './check.js'
import type { OnnxModel } from './decode.js'
import { type AxisOptions, isBatchWord } from './dimensions.js'
import { changed } from './message.js'
import { type ValueInfo, valueInfo } from './values.js'
import { freshNames, Writer } from './writer.js'

/** Operators whose constant shape may begin with the batch, and its place among their inputs. */
const shaped: Readonly<Record<string, number>> = { Reshape: 1, Expand: 1, ConstantOfShape: 0 }

/**
 * The same model for any number of samples, where all its inputs have one fixed batch of several:
 * that dimension of inputs and outputs is free, and constant shapes that begin with the batch
 * begin with the input's own. Whether the samples may be distinguished like that is found out where the
 * network first runs. Other models are returned as they are.
 */
export function freeBatch(model: OnnxModel, options: AxisOptions = {}): OnnxModel {
  const { graph } = model
  const inputs = graph.input.filter(({ name }) => !model.initializers.has(name))
  const fixed = fixedBatch(inputs.map(valueInfo), options)
  if (!fixed) return model
  const { batch, axes } = fixed
  const [[first, firstAxis] = ['', 0]] = axes

  const fresh = freshNames(namesOf(graph))
  const writer = new Writer('batch', fresh)
  const size = writer.one('Gather', [writer.one('Shape', [first]), writer.ints(firstAxis)])
  const constants = constantsOf(graph)
  const followed = new Map<string, string>()
  const following = (name: string): string => {
    const known = followed.get(name)
    if (known !== undefined) return known
    const numbers = wholeNumbers(constants.get(name))
    const follows = numbers[0] === batch
    const shape = follows
      ? writer.one('Concat', [size, writer.ints(...numbers.slice(1))], { axis: { i: 0 } })
      : name
    followed.set(name, shape)
    return shape
  }
  const node = graph.node.map((entry) => {
    const place = shaped[entry.opType]
    const name = place === undefined ? '' : (entry.input[place] ?? '')
    const shape = following(name)
    return shape === name
      ? entry
      : changed(entry, { input: entry.input.map((own, k) => (k === place ? shape : own)) })
  })
  const count = [...followed].filter(([name, shape]) => name !== shape).length
  const dimension = fresh('batch')
  const freed = changed(graph, {
    node: count > 0 ? [...writer.nodes, ...node] : node,
    input: graph.input.map((info) => {
      const axis = axes.get(info.name)
      return axis === undefined ? info : freeAxis(info, axis, dimension)
    }),
    output: graph.output.map((info) => {
      const sizes = valueInfo(info).shape ?? []
      const axis = options.batchAxis?.[info.name] ?? Math.max(sizes.indexOf(batch), 0)
      return freeAxis(info, axis, dimension)
    }),
    // They name the batch that was.
    valueInfo: [],
  })
  checkGraph(freed, model.name)
  const shapes = count > 0 ? `, and in ${count} constant shapes` : ''
  return {
    ...model,
    graph: freed,
    proto: changed(model.proto, { graph: freed }),
    freedBatch: batch,
    freedAxes: axes,
    notes: [...model.notes, `the fixed batch of ${batch} is made free in the inputs${shapes}`],
  }
}

export function namesOf(graph: GraphProto): Set<string> {
  const dimensions = [...graph.input, ...graph.output].flatMap(
    (info) => valueInfo(info).shape?.filter((size) => typeof size === 'string') ?? [],
  )
  return new Set([
    ...(dimensions as string[]),
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ])
}

function constantsOf(graph: GraphProto): Map<string, TensorProto> {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const add = ({ opType, output, attribute }: NodeProto) => {
    const tensor = attribute.find(({ name }) => name === 'value')?.t
    if (opType === 'Constant' && tensor) constants.set(output[0] ?? '', tensor)
  }
  graph.node.forEach(add)
  return constants
}

/** The numbers of a constant shape; none where it is no such thing. */
function wholeNumbers(tensor: TensorProto | undefined): number[] {
  if (tensor?.dims.length !== 1 || isExternal(tensor)) return []
  return Array.from(tensorToArray(tensor, 'a shape').data, Number)
}

/**
 * The batch of several that the file fixes, and the axis of each input that has it; undefined where
 * there is no such thing.
 */
function fixedBatch(
  inputs: readonly ValueInfo[],
  { batchAxis = {}, shared = [] }: AxisOptions,
): { batch: number; axes: Map<string, number> } | undefined {
  const open = inputs.filter(({ name, shape }) => shape?.length !== 0 && !shared.includes(name))
  const [first] = open
  const batch = first?.shape?.[batchAxis[first.name] ?? 0]
  if (typeof batch !== 'number' || batch < 2) return undefined
  const axes = new Map<string, number>()
  for (const { name, shape } of open) {
    const said = batchAxis[name]
    const axis: number = said === undefined ? (shape?.indexOf(batch) ?? -1) : (said ?? -1)
    if (axis >= 0 && shape?.[axis] === batch) axes.set(name, axis)
    else if (said !== undefined || !shape || shape.some((size) => typeof size !== 'number')) {
      return undefined
    }
  }
  const named = open.some(({ shape }) => shape?.some(isBatchWord))
  return named && Object.keys(batchAxis).length === 0 ? undefined : { batch, axes }
}

function freeAxis(info: ValueInfoProto, axis: number, dimension: string): ValueInfoProto {
  const type = info.type?.value
  if (!info.type || type?.case !== 'tensorType' || !type.value.shape?.dim[axis]) return info
  const free = create(TensorShapeProto_DimensionSchema, {
    value: { case: 'dimParam', value: dimension },
  })
  const shape = changed(type.value.shape, { dim: type.value.shape.dim.with(axis, free) })
  const tensorType = changed(type.value, { shape })
  return changed(info, {
    type: changed(info.type, { value: { case: 'tensorType', value: tensorType } }),
  })
}

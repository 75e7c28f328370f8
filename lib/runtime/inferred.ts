// Types and shapes of a network's values as onnxruntime infers them, without running anything.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { TangentError } from '../core/errors.js'
import * as ort from '../native/onnxruntime.js'
import { changed } from '../onnx/message.js'
import { makeValueInfo, type ValueInfo, valueInfo } from '../onnx/values.js'
import {
  TensorProto_DataType as DataType,
  type GraphProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
} from '../protobuf/index.js'
import { namelessFile } from './nameless.js'
import type { WorkerInit } from './protocol.js'

const own = 'adaptive_tangent_inference:'
/** Stored numbers above this say nothing about shapes. */
const many = 65536

/**
 * onnxruntime needs a time quadratic in the outputs of a graph, so that values are not outputs here
 * but listed as known, without a type: it writes what it found there into the model that it saves.
 * It saves what it was given, however, unless it has changed it, which it does at all events where a
 * float16 number meets an operator without a kernel for it. Large stored numbers say nothing about
 * shapes and become inputs, so that they are not saved, too.
 */
function inferable(graph: GraphProto): { graph: GraphProto; replaced: number } {
  const large = graph.initializer.filter(
    ({ dims }) => dims.reduce((product, size) => product * size, 1n) > many,
  )
  const replaced = new Set(large)
  const listed = new Set(graph.input.map(({ name }) => name))
  const half = create(TensorProtoSchema, {
    name: `${own}half`,
    dataType: DataType.FLOAT16,
    dims: [1n],
    rawData: new Uint8Array(2),
  })
  const change = create(NodeProtoSchema, {
    opType: 'Softsign',
    name: `${own}change`,
    input: [half.name],
    output: [`${own}changed`],
  })
  const names = new Set(graph.node.flatMap(({ output }) => output))
  names.delete('')
  const parts: Partial<GraphProto> = {
    input: [
      ...graph.input,
      ...large
        .filter(({ name }) => !listed.has(name))
        .map(({ name, dataType, dims }) => makeValueInfo(name, dataType, dims.map(Number))),
    ],
    initializer: [...graph.initializer.filter((entry) => !replaced.has(entry)), half],
    node: [...graph.node, change],
    output: [
      ...graph.output,
      ...change.output.map((name) => create(ValueInfoProtoSchema, { name })),
    ],
    valueInfo: [...names].map((name) => create(ValueInfoProtoSchema, { name })),
  }
  return { graph: changed(graph, parts), replaced: large.length }
}

/** Sizes that onnxruntime does not know are names, or ''; no dimensions where the rank is not known. */
export interface InferredShape {
  type: string
  shape: readonly (number | string)[]
}

function shapeOf({ type, typeName, shape }: ValueInfo): InferredShape {
  return { type: type ?? typeName.toLowerCase(), shape: (shape ?? []).map((size) => size ?? '') }
}

export interface Inferred {
  /** By name, of every tensor that onnxruntime can tell the type of; empty where it took no network. */
  values: ReadonlyMap<string, InferredShape>
  /** Has onnxruntime taken the network as it is? */
  taken: boolean
}

/** Opens a network without running it. See `inferable`. */
export async function infer({ skeleton, folder }: WorkerInit): Promise<Inferred> {
  const proto = fromBinary(ModelProtoSchema, skeleton)
  const { graph, replaced } = inferable(proto.graph as GraphProto)
  const file = namelessFile()
  try {
    const session = await ort.InferenceSession.create(
      toBinary(ModelProtoSchema, changed(proto, { graph })),
      {
        intraOpNumThreads: 1,
        logSeverityLevel: 4,
        // Optimising computes what is constant, of whatever size.
        graphOptimizationLevel: 'disabled',
        optimizedModelFilePath: file.path,
        extra: {
          session:
            folder === undefined ? {} : { model_external_initializers_file_folder_path: folder },
        },
      },
    )
    await session.release()
    const saved = fromBinary(ModelProtoSchema, file.read()).graph
    const values = [
      ...(saved?.input ?? []),
      ...(saved?.output ?? []),
      ...(saved?.valueInfo ?? []),
    ].map(valueInfo)
    const known = values.filter(({ dataType }) => dataType !== 0)
    return {
      values: new Map(known.map((info) => [info.name, shapeOf(info)])),
      taken: replaced === 0,
    }
  } catch (error) {
    if (error instanceof TangentError) throw error
    // The session that is to run tells what is wrong.
    return { values: new Map(), taken: false }
  } finally {
    file.close()
  }
}

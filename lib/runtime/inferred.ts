// Types and shapes of a network's values as onnxruntime infers them, without running anything.
import { TangentError } from '../core/errors.js'
import { shapeSize } from '../core/shape.js'
import * as ort from '../native/onnxruntime.js'
import {
  type DeclaredValue,
  declared,
  declaredValue,
  type Field,
  fields,
  fieldsOf,
  graphOf,
  holdsText,
  message,
  node,
  numbersIn,
  parts,
  textBytesIn,
  textIn,
  withGraph,
} from '../onnx/wire.js'
import { namelessFile } from './nameless.js'
import type { WorkerInit } from './protocol.js'

const own = 'adaptive_tangent_inference:'
/** TensorProto.DataType.FLOAT16. */
const float16 = 10
/** Stored numbers above this say nothing about shapes. */
const many = 65536

/**
 * onnxruntime needs a time quadratic in the outputs of a graph, so that values are not outputs here
 * but listed as known, without a type: it writes what it found there into the model that it saves.
 * It saves what it was given, however, unless it has changed it, which it does at all events where a
 * float16 number meets an operator without a kernel for it. Large stored numbers say nothing about
 * shapes and become inputs, so that they are not saved, too.
 */
function inferable(graph: Uint8Array): { graph: Uint8Array[]; replaced: number } {
  const { graph: of, tensor } = fields
  const entries = fieldsOf(graph)
  const listed = new Set(parts(graph, of.input).map((input) => textIn(input, fields.value.name)))
  const inputs: Uint8Array[] = []
  let replaced = 0
  const kept = entries.filter(({ number, content }) => {
    if (number !== of.initializer) return number !== of.valueInfo && number !== of.output
    const dims = numbersIn(content, tensor.dims)
    if (shapeSize(dims) <= many) return true
    replaced += 1
    const name = textIn(content, tensor.name)
    const [dataType = 0] = numbersIn(content, tensor.dataType)
    if (!listed.has(name)) inputs.push(declared(name, dataType, dims))
    return false
  })
  const half = message(
    [tensor.dims, 1],
    [tensor.dataType, float16],
    [tensor.name, `${own}half`],
    [tensor.rawData, new Uint8Array(2)],
  )
  const changed = `${own}changed`
  const nodes = entries.filter(({ number }) => number === of.node)
  const made = nodes.flatMap(({ content }) => textBytesIn(content, fields.node.output))
  const outputs = parts(graph, of.output).map((output) => {
    const name = textBytesIn(output, fields.value.name).at(-1) ?? new Uint8Array()
    const reads = ({ content }: Field) => holdsText(content, fields.node.input, name)
    if (!nodes.some(reads)) return output
    replaced += 1
    return withoutSizes(output)
  })
  const value = (name: string | Uint8Array) => message([fields.value.name, name])
  const added = message(
    ...inputs.map((input) => [of.input, input] as const),
    [of.initializer, half],
    [of.node, node('Softsign', `${own}half`, changed, `${own}change`)],
    ...outputs.map((output) => [of.output, output] as const),
    [of.output, value(changed)],
    ...made.flatMap((name) => (name.length > 0 ? [[of.valueInfo, value(name)] as const] : [])),
  )
  return { graph: [...kept.map(({ whole }) => whole), added], replaced }
}

/**
 * A declaration of the type alone. The sizes of an output are what somebody told an exporter, right or not:
 * where nodes read it, onnxruntime would infer from them those of all that follows.
 */
function withoutSizes(output: Uint8Array): Uint8Array {
  const { value, type, tensorType } = fields
  const [tensor] = parts(output, value.type).flatMap((each) => parts(each, type.tensor))
  const [elements] = tensor ? numbersIn(tensor, tensorType.elemType) : []
  if (elements === undefined) return output
  return message(
    [value.name, textIn(output, value.name)],
    [value.type, message([type.tensor, message([tensorType.elemType, elements])])],
  )
}

/** See `declaredValue`. */
export type InferredShape = Readonly<Pick<DeclaredValue, 'type' | 'shape'>>

export interface Inferred {
  /** By name, of every tensor that onnxruntime can tell the type of; empty where it took no network. */
  values: ReadonlyMap<string, InferredShape>
  /** Has onnxruntime taken the network as it is? */
  taken: boolean
}

/** Opens a network without running it. See `inferable`. */
export async function infer({ skeleton, folder }: WorkerInit): Promise<Inferred> {
  const { graph, replaced } = inferable(graphOf(skeleton))
  const file = namelessFile(skeleton.length)
  try {
    const session = await ort.InferenceSession.create(withGraph(skeleton, graph), {
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
      // Optimising computes what is constant, of whatever size.
      graphOptimizationLevel: 'disabled',
      optimizedModelFilePath: file.path,
      extra: {
        session:
          folder === undefined ? {} : { model_external_initializers_file_folder_path: folder },
      },
    })
    await session.release()
    const saved = graphOf(file.read())
    const { input, output, valueInfo } = fields.graph
    const declaring = new Set<number>([input, output, valueInfo])
    const known = fieldsOf(saved)
      .filter(({ number }) => declaring.has(number))
      .flatMap(({ content }) => declaredValue(content) ?? [])
    return { values: new Map(known.map((value) => [value.name, value])), taken: replaced === 0 }
  } catch (error) {
    if (error instanceof TangentError) throw error
    // The session that is to run tells what is wrong.
    return { values: new Map(), taken: false }
  } finally {
    file.close()
  }
}

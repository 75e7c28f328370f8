import { fromBinary } from '@bufbuild/protobuf'
import { TangentError } from '../core/errors.js'
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
} from '../protobuf/index.js'
import { checkGraph } from './check.js'

/** The oldest opset of ai.onnx that is read. */
export const OLDEST_OPSET = 9
/** The newest opset of ai.onnx that onnxruntime 1.30 runs (tried: 27 is refused). */
export const NEWEST_OPSET = 26
/** The IR versions that carry opset versions and that onnxruntime 1.30 reads (tried: 14 is not). */
export const OLDEST_IR = 3
export const NEWEST_IR = 13
/** Protobuf's limit on one message; onnxruntime's too. */
const MESSAGE_LIMIT = 2 ** 31 - 1

/** A decoded model, checked: every value is defined once and before it is used. */
export interface OnnxModel {
  /** What messages call it: the path, or 'the model'. */
  readonly name: string
  /** The path; absent for a model given as bytes. */
  readonly file?: string
  /**
   * The file's bytes. Weights in `proto` are (often unaligned) views of them, unless `inOwnMemory` has
   * moved all out: then they are none.
   */
  readonly bytes: Uint8Array
  /** The folder that external weight files lie in; absent for a model given as bytes. */
  readonly folder?: string
  readonly proto: ModelProto
  readonly graph: GraphProto
  /** Opset version by domain, '' for ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>
  /** Dense initializers of the main graph by name. */
  readonly initializers: ReadonlyMap<string, TensorProto>
  /** What `openModel` changed on the way, in words. */
  readonly notes: readonly string[]
  /** Samples of the batch that the file fixes and that was made free. */
  readonly freedBatch?: number
  /** The axis of each input that has it. */
  readonly freedAxes?: ReadonlyMap<string, number>
}

/** '' for the two ways to write ONNX's own domain. */
export function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain
}

function decodeProto(bytes: Uint8Array, name: string): ModelProto {
  const notOnnx = (cause?: unknown) =>
    new TangentError('BAD_FILE', `${name} is not an ONNX model, or it is truncated.`, { cause })
  if (bytes.length === 0) throw new TangentError('BAD_FILE', `${name} is empty.`)
  if (bytes.length > MESSAGE_LIMIT) {
    throw new TangentError(
      'BAD_FILE',
      `${name} is larger than 2 GiB, the limit of ONNX files; store its weights in an external file.`,
    )
  }
  let proto: ModelProto
  try {
    proto = fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw notOnnx(cause)
  }
  // Text and other formats may decode as unknown fields, and then hold no graph.
  if (!proto.graph || proto.irVersion === 0n) throw notOnnx()
  return proto
}

function readOpsets(proto: ModelProto, name: string): Map<string, number> {
  const opsets = new Map<string, number>()
  for (const { domain, version } of proto.opsetImport) {
    const key = normalDomain(domain)
    const known = opsets.get(key)
    if (known !== undefined && known !== Number(version)) {
      throw new TangentError('BAD_FILE', `${name} imports two versions of one operator set.`)
    }
    opsets.set(key, Number(version))
  }
  const main = opsets.get('')
  if (main === undefined) {
    throw new TangentError('BAD_FILE', `${name} does not say which ONNX opset it uses.`)
  }
  if (main < OLDEST_OPSET || main > NEWEST_OPSET) {
    throw new TangentError(
      'BAD_FILE',
      `${name} uses ONNX opset ${main}, but ${OLDEST_OPSET} to ${NEWEST_OPSET} can be read; export it with one of these.`,
    )
  }
  return opsets
}

/**
 * Decodes a model's bytes and checks everything that can be checked without running it. The weights
 * are not copied: `bytes` must not change while the model is used.
 * @param options.folder where external weight files are looked for (see `openModel`).
 * @throws TangentError BAD_FILE with one sentence.
 */
export function decodeModel(
  bytes: Uint8Array,
  options: { folder?: string; name?: string } = {},
): OnnxModel {
  const name = options.name ?? 'the model'
  const proto = decodeProto(bytes, name)
  if (proto.irVersion < OLDEST_IR || proto.irVersion > NEWEST_IR) {
    throw new TangentError(
      'BAD_FILE',
      `${name} has the IR version ${proto.irVersion}, but ${OLDEST_IR} to ${NEWEST_IR} can be read.`,
    )
  }
  const opsets = readOpsets(proto, name)
  const graph = proto.graph!
  checkGraph(graph, name)
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]))
  const folder = options.folder === undefined ? {} : { folder: options.folder }
  return { name, bytes, ...folder, proto, graph, opsets, initializers, notes: [] }
}

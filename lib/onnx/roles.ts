// Which float initializers are constants of the network rather than parameters. ONNX does not say;
// what an exporter leaves behind does, mostly.

import { elementCount } from '../io/ndarray.js'
import type { GraphProto, TensorProto } from '../protobuf/index.js'
import { isCopy } from './copies.js'
import type { OnnxModel } from './decode.js'

/** Operators that read a single number as a weight of a layer, not as a factor of a formula. */
const layerOps = /^(Conv|ConvTranspose|Gemm|MatMul|PRelu|\w*Normalization)$/

/**
 * What torch.export wrote about the program's inputs: the names of the module's parameters, and of
 * its buffers and constant tensors. Undefined for files of other exporters.
 */
function torchSignature(graph: GraphProto): Map<string, 'parameter' | 'buffer'> | undefined {
  const text = graph.metadataProps.find(({ key }) => key.endsWith('.graph_signature'))?.value
  if (text === undefined) return undefined
  const kinds = new Map<string, 'parameter' | 'buffer'>()
  for (const [, kind, name] of text.matchAll(
    /: (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^'\n]*)'/g,
  )) {
    kinds.set(name as string, kind === 'PARAMETER' ? 'parameter' : 'buffer')
  }
  return kinds
}

/**
 * Parameters of a PyTorch module that its exporter folded into others, renamed or dropped (a bias of
 * zeros), by the names that the file still tells. Empty for files of other exporters.
 */
export function missingParameters(model: OnnxModel): string[] {
  const signature = torchSignature(model.graph) ?? new Map()
  return [...signature]
    .filter(([name, kind]) => kind === 'parameter' && !model.initializers.has(name))
    .map(([name]) => name)
}

/** The nodes that read each initializer directly, with the position. */
function readers(graph: GraphProto): Map<string, { op: string; position: number }[]> {
  const found = new Map<string, { op: string; position: number }[]>()
  for (const { opType, input } of graph.node) {
    input.forEach((name, position) => {
      const list = found.get(name)
      if (list) list.push({ op: opType, position })
      else found.set(name, [{ op: opType, position }])
    })
  }
  return found
}

/** Are all entries one number (this one, where given)? */
function isFilled(tensor: TensorProto, value?: number): boolean {
  const raw = tensor.rawData
  if (raw.length === 0) {
    const [first = 0] = tensor.floatData
    return tensor.floatData.length > 0 && tensor.floatData.every((x) => x === (value ?? first))
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const wanted = value ?? (raw.length >= 4 ? view.getFloat32(0, true) : 0)
  for (let at = 0; at + 4 <= raw.length; at += 4) {
    if (view.getFloat32(at, true) !== wanted) return false
  }
  return true
}

/**
 * What an exporter puts where the program has no tensor: the scale (1) and bias (0) of a norm
 * without weights, and what is written into a mask piece by piece.
 */
function isFiller(
  tensor: TensorProto,
  used: readonly { op: string; position: number }[],
): string | undefined {
  if (used.length === 0) return undefined
  const norm = used.every(({ op }) => op === 'InstanceNormalization')
  if (norm && used.every(({ position }) => isFilled(tensor, position === 1 ? 1 : 0))) {
    return 'the filler of a norm without weights'
  }
  const written = used.every(({ op }) => op === 'ScatterND' || op === 'ScatterElements')
  return written && isFilled(tensor) ? 'the filler of a mask' : undefined
}

/**
 * The matrices of layers that PyTorch's exporter stored under names of its own: a parameter
 * transposed, or (a copy) a tied one a second time.
 */
function renamed(
  model: OnnxModel,
  signature: ReadonlyMap<string, unknown>,
  uses: ReturnType<typeof readers>,
): { name: string; copy: boolean }[] {
  const named = [...signature.keys()].flatMap((name) => model.initializers.get(name) ?? [])
  return [...model.initializers]
    .filter(
      ([name, { dims, dataType }]) =>
        dataType === 1 &&
        dims.length === 2 &&
        !signature.has(name) &&
        uses.get(name)?.some(({ op, position }) => layerOps.test(op) && position === 1),
    )
    .map(([name, tensor]) => ({ name, copy: named.some((other) => isCopy(tensor, other)) }))
}

/**
 * Float32 initializers of the main graph that are constants by all signs, with the reason in words:
 * - PyTorch's current exporter names the module's parameters and buffers in the file. Buffers are
 *   constants; so is any other initializer when every parameter is there under its name or as a
 *   layer's matrix that was stored transposed. When some were folded into new initializers, only
 *   single numbers in formulas and fillers are.
 * - PyTorch's TorchScript exporter writes constants as Constant nodes; an initializer is one only
 *   when an optimiser moved it (its name tells). Where the current exporter's notes were lost,
 *   single numbers that it named itself are constants.
 * - Other converters store every number as an initializer: those without dimensions are constants.
 */
export function constantInitializers(model: OnnxModel): Map<string, string> {
  const { graph, proto } = model
  const constants = new Map<string, string>()
  const signature = torchSignature(graph)
  const uses = readers(graph)
  const matrices = signature ? renamed(model, signature, uses) : []
  const transposed = matrices.filter(({ copy }) => !copy).length
  const missing = missingParameters(model).length
  const complete = missing === 0 || missing === transposed
  const layers = new Set(matrices.filter(({ copy }) => copy || missing > 0).map(({ name }) => name))
  for (const [name, tensor] of model.initializers) {
    if (tensor.dataType !== 1) continue
    const used = uses.get(name) ?? []
    const single = elementCount(tensor.dims) === 1
    const inLayer = used.some(({ op }) => layerOps.test(op))
    if (!signature) {
      const generated =
        proto.producerName !== 'pytorch' || /(^|[/_])Constant(_|$)|^onnx::/.test(name)
      if (tensor.dims.length === 0 && generated && !inLayer) {
        constants.set(name, 'a number without dimensions')
      } else if (single && /^val_\d+$/.test(name) && !inLayer) {
        constants.set(name, 'a number that the exporter stored')
      }
      continue
    }
    const kind = signature.get(name)
    if (kind === 'buffer') constants.set(name, 'a buffer of the module')
    if (kind || layers.has(name)) continue
    const filler = isFiller(tensor, used)
    if (complete || (single && !inLayer)) constants.set(name, 'a number that the exporter stored')
    else if (filler !== undefined) constants.set(name, filler)
  }
  return constants
}

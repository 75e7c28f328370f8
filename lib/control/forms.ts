// The forms that a network takes on different samples: which branches, how many iterations.
import { createHash } from 'node:crypto'
import { capturedBy } from '../graph/captures.js'
import { type Floats, toFloat32 } from '../io/index.js'
import type { OnnxModel } from '../onnx/index.js'
import { changed } from '../onnx/message.js'
import type { Feed, FeedArray } from '../runtime/protocol.js'
import { bodiesOf, holdsControl, isControl } from './bodies.js'
import { Dependences } from './depends.js'

/** Inputs whose numbers may decide something, at any depth. */
export function decidingInputs(model: OnnxModel): Set<string> {
  const dependences = new Dependences(model)
  const inputs = new Set<string>()
  for (const node of model.graph.node.filter(isControl)) {
    const nested = bodiesOf(node).some(holdsControl)
    const read = nested ? [...node.input, ...capturedBy(node)] : []
    for (const { numbers } of [dependences.of(node), ...read.map(dependences.number)]) {
      for (const name of numbers) inputs.add(name)
    }
  }
  return inputs
}

/** The same for samples that surely take the same way. */
export function feedKey(x: Feed, deciding: ReadonlySet<string>): string {
  const key = ({ name, shape, data, axis = 0 }: FeedArray, first: number) => {
    const sizes = `${axis}:${shape.slice(first).join('x')}`
    if (!deciding.has(name)) return sizes
    const { buffer, byteOffset, byteLength } = data
    const bytes = new Uint8Array(buffer, byteOffset, byteLength)
    return `${sizes}:${shape[0]}:${createHash('sha256').update(bytes).digest('base64')}`
  }
  const shared = (x.shared ?? []).map((array) => key(array, 0))
  return [...x.arrays.map((array) => key(array, 1)), ...shared].join(' ')
}

/** The model with other numbers in its float32 initializers. */
export function withWeights(model: OnnxModel, weights: ReadonlyMap<string, Floats>): OnnxModel {
  const initializer = model.graph.initializer.map((tensor) => {
    const own = weights.get(tensor.name)
    if (!own) return tensor
    const { data } = toFloat32({ data: own, shape: [own.length] })
    const rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    return changed(tensor, { rawData, floatData: [], externalData: [], dataLocation: 0 })
  })
  const graph = changed(model.graph, { initializer })
  return { ...model, graph, proto: changed(model.proto, { graph }) }
}

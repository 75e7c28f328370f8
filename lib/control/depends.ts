// What a value depends on: numbers or only shapes of the inputs, or chance.

import { capturedBy } from '../graph/captures.js'
import { normalDomain, type OnnxModel } from '../onnx/index.js'
import type { NodeProto } from '../protobuf/index.js'
import { bodiesOf, isControl, runsThrough, scanForm } from './bodies.js'

export interface Dependence {
  /** Inputs whose numbers count. */
  numbers: ReadonlySet<string>
  /** Inputs whose shapes count. */
  shapes: ReadonlySet<string>
  /** Does an operator draw random numbers? */
  chance: boolean
}

/** Inputs whose numbers tell the shape of the result, where not all or none do. */
const shapedBy: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  Compress: [0, 1],
  ConstantOfShape: [0],
  DFT: [1, 2],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  MaxUnpool: [2],
  NonZero: [0],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [1, 2, 3],
  STFT: [1, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Unique: [0],
  Unsqueeze: [1],
  Upsample: [1],
}

/** Operators whose results' shapes may follow from all numbers that they take. */
const wild = /^(If|Loop|Scan|MelWeightMatrix|NonMaxSuppression|.*Sequence.*|.*Optional.*|String.*)$/
const random = /^(RandomNormal|RandomUniform|Bernoulli|Multinomial)(Like)?$/

function isRandom(node: NodeProto): boolean {
  return random.test(node.opType) || bodiesOf(node).some((graph) => graph.node.some(isRandom))
}

const nothing: Dependence = { numbers: new Set(), shapes: new Set(), chance: false }

function joined(parts: readonly Dependence[]): Dependence {
  const [first, ...rest] = parts.filter((part) => part !== nothing)
  if (!first) return nothing
  if (rest.length === 0) return first
  return {
    numbers: new Set(parts.flatMap(({ numbers }) => [...numbers])),
    shapes: new Set(parts.flatMap(({ shapes }) => [...shapes])),
    chance: parts.some(({ chance }) => chance),
  }
}

/** What the values of a model's main graph depend on. */
export class Dependences {
  readonly #numbers = new Map<string, Dependence>()
  readonly #shapes = new Map<string, Dependence>()

  constructor(model: OnnxModel) {
    const { graph, initializers } = model
    for (const { name } of graph.input) {
      if (initializers.has(name)) continue
      this.#numbers.set(name, { ...nothing, numbers: new Set([name]) })
      this.#shapes.set(name, { ...nothing, shapes: new Set([name]) })
    }
    // In the file's order, which is sorted: what a node reads is known before it.
    for (const node of graph.node) {
      const [numbers, shapes] = [this.#numbersOf(node), this.#shapesOf(node)]
      for (const name of node.output) {
        this.#numbers.set(name, numbers)
        this.#shapes.set(name, shapes)
      }
    }
  }

  /** What the decision about a node depends on: a condition, or a number of iterations. */
  of(node: NodeProto): Dependence {
    if (node.opType === 'If') return this.number(node.input[0])
    if (node.opType === 'Scan') return joined((scanForm(node)?.scanned ?? []).map(this.#shape))
    const limit = joined([this.number(node.input[0]), this.number(node.input[1])])
    return runsThrough(node) ? limit : joined([limit, this.#numbersOf(node)])
  }

  /** What the numbers of a value depend on. */
  readonly number = (name = ''): Dependence => this.#numbers.get(name) ?? nothing
  readonly #shape = (name = ''): Dependence => this.#shapes.get(name) ?? nothing

  #numbersOf(node: NodeProto): Dependence {
    if (node.opType === 'Shape' || node.opType === 'Size') return this.#shape(node.input[0])
    const read = [...node.input, ...capturedBy(node)].map(this.number)
    return isRandom(node) ? joined([...read, { ...nothing, chance: true }]) : joined(read)
  }

  #shapesOf(node: NodeProto): Dependence {
    const own = normalDomain(node.domain) === ''
    if (!own || isControl(node) || wild.test(node.opType)) return this.#numbersOf(node)
    const places = (Object.hasOwn(shapedBy, node.opType) && shapedBy[node.opType]) || []
    const shapes = node.input.map(this.#shape)
    // Reductions take their axes as an input since opset 18.
    if (node.opType.startsWith('Reduce')) shapes.push(this.number(node.input[1]))
    return joined([...shapes, ...places.map((place) => this.number(node.input[place]))])
  }
}

// What onnxruntime infers of a network without running it: values too large for the memory budget,
// and operands that it would trust. A file may ask for anything.
import { TangentError } from '../core/errors.js'
import { formatBytes } from '../core/memory.js'
import type { InferredShape } from './inferred.js'
import type { WorkerInit } from './protocol.js'
import type { Sessions } from './sessions.js'

type Node = WorkerInit['graph']['nodes'][number]

interface Large {
  node: string
  shape: string
  bytes: number
}

const named = (node: Node) => `${node.name} (${node.op})`

const widths: Record<string, number> = {
  float64: 8,
  int64: 8,
  uint64: 8,
  float16: 2,
  int16: 2,
  uint16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
}

export class Inference {
  readonly #init: WorkerInit
  readonly #sessions: Sessions
  #largest: Promise<Large | undefined> | undefined

  constructor(init: WorkerInit, sessions: Sessions) {
    this.#init = init
    this.#sessions = sessions
  }

  /**
   * The largest value of one sample by itself has to fit. Shapes that onnxruntime cannot infer
   * without running are not seen.
   *
   * @throws TangentError MEMORY_BUDGET or BAD_FILE that names the node.
   */
  async check(memory: number): Promise<void> {
    this.#largest ??= this.#inspect()
    const large = await this.#largest
    if (!large || large.bytes <= memory) return
    throw new TangentError(
      'MEMORY_BUDGET',
      `Node ${large.node} makes a value of shape (${large.shape}), ${formatBytes(large.bytes)}, but the memory budget is ${formatBytes(memory)}; a larger budget or another network would fit`,
    )
  }

  async #inspect(): Promise<Large | undefined> {
    const { nodes, values } = this.#init.graph
    const nameOf = (id: number | undefined) => values[id ?? -1]?.name ?? ''
    const { values: inferred } = await this.#sessions.inferred()
    let largest: Large | undefined
    for (const node of nodes) {
      checkResize(node, (k) => inferred.get(nameOf(node.inputs[k]))?.shape)
      for (const id of node.outputs) {
        const { type, shape } = inferred.get(nameOf(id)) ?? { type: '', shape: [0] }
        const sizes = shape.map((size) => (typeof size === 'number' && size >= 0 ? size : 1))
        const bytes = sizes.reduce((product, size) => product * size, widths[type] ?? 4)
        if (bytes <= (largest?.bytes ?? 0)) continue
        largest = { node: named(node), shape: sizes.join(', '), bytes }
      }
    }
    return largest
  }
}

/** onnxruntime copies scales and sizes into room for as many numbers as the image has axes. */
function checkResize(
  node: Node,
  shapeOf: (input: number) => InferredShape['shape'] | undefined,
): void {
  if (node.op !== 'Resize' && node.op !== 'Upsample') return
  // A value whose rank is not known has a shape without dimensions here, too.
  const axes = shapeOf(0)?.length || Infinity
  const places = node.inputs.length > 2 ? [2, 3] : [1]
  for (const place of places) {
    const shape = shapeOf(place)
    if (!shape || shape.length === 0) continue
    if (shape.length === 1 && !((shape[0] as number) > axes)) continue
    throw new TangentError(
      'BAD_FILE',
      `Expected a list of one scale or size per axis for node ${named(node)} but they have the shape (${shape.join(', ')})`,
    )
  }
}

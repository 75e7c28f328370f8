// What a forward run holds of memory, told by the shapes of its values: onnxruntime's own buffers stay as
// large as the largest run needed them.
import { shapeSize } from '../core/shape.js'
import { bytesPerElement, dtypes, type StoredType } from '../io/ndarray.js'
import type { NativeGraph } from '../native/index.js'
import type { Inferred } from './inferred.js'

/** A run of `n` samples holds `fixed + n · each` bytes. */
export interface ForwardBytes {
  fixed: number
  each: number
}

/** What tells the shapes of a network's values. */
export interface Shapes {
  graph: NativeGraph
  inferred: Inferred
  /** Of the addon's values, for a number of samples; undefined for others. */
  known(id: number, samples: number): readonly number[] | undefined
  /** Sizes of the inputs' named dimensions, for a number of samples. */
  sizes(samples: number): ReadonlyMap<string, number>
  /** Bytes of a real number. */
  real: number
}

const numbers: ReadonlySet<string> = new Set([...dtypes, 'float16', 'bfloat16'])

/** Float32 numbers run as reals; of values whose type is not known as much as of these is taken. */
const bytesOfType = (type: string, real: number) =>
  type !== 'float32' && numbers.has(type) ? bytesPerElement(type as StoredType) : real

/**
 * The most that is alive at once while the nodes run in order, where what is tapped stays until the end, and
 * the copies of what is tapped that are given to JavaScript.
 * @param taps values that are computed and read afterwards
 * @param batch 1 where one sample is run at a time
 */
export function forwardBytes(shapes: Shapes, taps: readonly number[], batch: number): ForwardBytes {
  const of = (samples: number) => {
    const bytes = bytesOfValues(shapes, samples)
    const copies = taps.reduce((sum, id) => sum + bytes(id), 0)
    return mostAlive(shapes.graph, new Set(taps), bytes) + copies
  }
  const one = of(1)
  if (batch === 1) return { fixed: 0, each: one }
  const each = of(2) - one
  return { fixed: Math.max(0, one - each), each }
}

function bytesOfValues({ graph, inferred, known, sizes, real }: Shapes, samples: number) {
  const named = sizes(samples)
  return (id: number): number => {
    const { name = '', shape } = graph.values[id] ?? {}
    // A weight or a constant: no run's own.
    if (shape) return 0
    const told = inferred.values.get(name)
    const dims = known(id, samples) ?? told?.shape.map((size) => sizeOf(size, named))
    return dims ? bytesOfType(told?.type ?? '', real) * shapeSize(dims) : 0
  }
}

const sizeOf = (size: number | string, named: ReadonlyMap<string, number>) =>
  typeof size === 'number' ? size : (named.get(size) ?? 1)

/** Each value from the node that makes it to the last that reads it. */
function mostAlive(
  { nodes }: NativeGraph,
  kept: ReadonlySet<number>,
  bytes: (id: number) => number,
): number {
  const last = new Map<number, number>()
  nodes.forEach(({ inputs }, at) => {
    for (const id of inputs) last.set(id, at)
  })
  const made = new Set<number>()
  let alive = 0
  let most = 0
  nodes.forEach(({ inputs, outputs }, at) => {
    for (const id of outputs) {
      made.add(id)
      alive += bytes(id)
    }
    most = Math.max(most, alive)
    for (const id of new Set([...inputs, ...outputs])) {
      const over = (last.get(id) ?? at) <= at
      if (over && made.has(id) && !kept.has(id)) alive -= bytes(id)
    }
  })
  return most
}

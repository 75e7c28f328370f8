// onnxruntime's optimisers, held to what is wanted. Some drop a node whose result is an output of the
// graph where they take it for part of a pattern (a Range before a Gather, a Transpose before a Gemm,
// the first node of a written-out GELU); the process dies when such an output is taken. So the
// optimised graph is looked at before anything runs.
import type * as ort from '../native/onnxruntime.js'
import { fields, graphOf, parts, textIn, textsIn } from '../onnx/wire.js'
import { type NamelessFile, namelessFile } from './nameless.js'

/** How a session is made. */
export interface Optimisation {
  level: 'disabled' | 'all'
  /** Optimisers that stay off. */
  without: string
  /** Where onnxruntime writes the optimised graph. */
  path?: string
}

// The first two drop what many rules read; the others rarely do.
const known = ['GatherToSliceFusion', 'GemmTransposeFusion']
const rare = ['FastGeluFusion', 'MatmulTransposeFusion', 'MatMul_BatchNormalization_Fusion']

const ways: readonly Optimisation[] = [
  { level: 'all', without: known.join(';') },
  { level: 'all', without: [...known, ...rare].join(';') },
  { level: 'disabled', without: '' },
]

/** Graphs with larger constants inside are not written down to be looked at. */
const largest = 64 * 2 ** 20

/**
 * The best optimised session whose outputs are all made.
 * @param bytes size of the model.
 */
export async function optimised(
  start: (optimisation: Optimisation) => Promise<ort.InferenceSession>,
  bytes: number,
): Promise<ort.InferenceSession> {
  for (const way of ways.slice(0, -1)) {
    const file = bytes > largest ? undefined : scratchFile(bytes)
    if (!file) return start(way)
    try {
      const session = await start({ ...way, path: file.path })
      if (complete(file.read())) return session
      await session.release()
    } catch {
      // It may be the writing that failed: the disk may be full.
      return start(way)
    } finally {
      file.close()
    }
  }
  return start(ways.at(-1) as Optimisation)
}

/** Is every output of the graph made by a node, stored or fed? */
function complete(model: Uint8Array): boolean {
  const { node, initializer, input, output } = fields.graph
  const graph = graphOf(model)
  const names = (field: number, name: number) =>
    parts(graph, field).flatMap((part) => textsIn(part, name))
  const made = new Set([
    ...names(node, fields.node.output),
    ...names(initializer, fields.tensor.name),
    ...names(input, fields.value.name),
  ])
  const wanted = parts(graph, output).map((value) => textIn(value, fields.value.name))
  return wanted.length > 0 && wanted.every((name) => made.has(name))
}

/** Undefined where there is no room for one. */
function scratchFile(bytes: number): NamelessFile | undefined {
  try {
    return namelessFile(bytes)
  } catch {
    return undefined
  }
}

// onnxruntime's optimisers, held to what is wanted. Some drop a node whose result is an output of the
// graph where they take it for part of a pattern (a Range before a Gather, a Transpose before a Gemm,
// the first node of a written-out GELU); the process dies when such an output is taken. So the
// optimised graph is looked at before anything runs.
import { BinaryReader } from '@bufbuild/protobuf/wire'
import type * as ort from '../native/onnxruntime.js'
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
    const file = bytes > largest ? undefined : scratchFile()
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

/** Fields of ONNX's messages that hold names, by number: the rest need not be decoded for this. */
const fields = {
  graph: 7,
  node: { field: 1, names: 2 },
  initializer: { field: 5, names: 8 },
  input: { field: 11, names: 1 },
  output: { field: 12, names: 1 },
}

/** Is every output of the graph made by a node, stored or fed? */
function complete(model: Uint8Array): boolean {
  const made = new Set<string>()
  const wanted: string[] = []
  for (const graph of parts(model, fields.graph)) {
    for (const { field, names } of [fields.node, fields.initializer, fields.input]) {
      for (const part of parts(graph, field)) {
        for (const name of parts(part, names)) made.add(textOf(name))
      }
    }
    for (const part of parts(graph, fields.output.field)) {
      for (const name of parts(part, fields.output.names)) wanted.push(textOf(name))
    }
  }
  return wanted.length > 0 && wanted.every((name) => made.has(name))
}

const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array) => decoder.decode(bytes)

/** What a message holds in one of its fields of bytes, texts or messages. */
function parts(message: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = []
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    if (number === field) found.push(reader.bytes())
    else reader.skip(type, number)
  }
  return found
}

/** Undefined where there is no room for one. */
function scratchFile(): NamelessFile | undefined {
  try {
    return namelessFile()
  } catch {
    return undefined
  }
}

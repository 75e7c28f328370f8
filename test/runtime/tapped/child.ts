// Wants the values of one table's cases, all together and of patterns each alone, too, and tells on
// stdout before and after what comes of it: whoever dies is known by name.
import { writeSync } from 'node:fs'
import { prepareGraph } from '../../../lib/graph/prepare.js'
import { skeleton } from '../../../lib/graph/skeleton.js'
import type * as ort from '../../../lib/native/onnxruntime.js'
import { openModel } from '../../../lib/onnx/index.js'
import type { Feed, WorkerInit } from '../../../lib/runtime/protocol.js'
import { Sessions } from '../../../lib/runtime/sessions.js'
import { relativeError } from '../../support/near.js'
import { model } from '../../support/onnx.js'
import { constants, ofTypes, replaced, type TappedCase } from './cases.js'

async function initOf({ nodes, shape, whole, opset }: TappedCase): Promise<WorkerInit> {
  const type = whole ? 'int64' : 'float32'
  const sizes = ['N', ...shape.slice(1)]
  const names = nodes.flatMap(({ inputs }) => inputs)
  const source = model({
    nodes: [...nodes, { op: 'Identity', inputs: ['x'], outputs: ['out'] }],
    initializers: Object.fromEntries(
      Object.entries(constants).filter(([name]) => names.includes(name)),
    ),
    inputs: [{ name: 'x', type, shape: sizes }],
    outputs: [{ name: 'out', type, shape: sizes }],
    opset,
  })
  const opened = await openModel(source)
  const graph = prepareGraph(opened)
  return {
    skeleton: skeleton(opened, graph, []),
    graph: graph.native,
    inputs: [],
    free: false,
    double: false,
    outputs: ['out'],
  }
}

function feedOf({ shape, whole }: TappedCase): Feed {
  const size = shape.reduce((product, own) => product * own, 1)
  const wave = Float32Array.from({ length: size }, (_, e) => 2 * Math.sin(1.7 * e + 0.3))
  const data = whole ? BigInt64Array.from({ length: size }, (_, e) => BigInt(e % 4)) : wave
  const type = whole ? 'int64' : 'float32'
  return { samples: shape[0] as number, arrays: [{ name: 'x', type, shape, data }] }
}

/** Which values differ by more than the rounding of half floats. */
function differing(
  found: ReadonlyMap<string, ort.Tensor>,
  truth: ReadonlyMap<string, ort.Tensor>,
): string[] {
  return [...found.keys()].filter((name) => {
    const [u, v] = [found.get(name) as ort.Tensor, truth.get(name) as ort.Tensor]
    if (u.type !== v.type || u.dims.join() !== v.dims.join()) return true
    return relativeError(Array.from(u.data, Number), Array.from(v.data, Number)) > 2e-3
  })
}

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

const { table = '', from = 0 } = JSON.parse(process.argv[2] ?? '{}') as {
  table: string
  from: number
}
const cases = table === 'types' ? ofTypes : replaced
for (const [k, entry] of cases.entries()) {
  if (k < from) continue
  const init = await initOf(entry)
  const made = entry.nodes.flatMap(({ outputs }) => outputs)
  const sets = table === 'replaced' ? [made, ...made.map((name) => [name])] : [made]
  const truth = new Map<string, ort.Tensor>()
  for (const values of sets.toReversed()) {
    say({ k, values })
    try {
      // With a shape wanted, too, nothing is optimised.
      const sessions = new Sessions(init)
      const exact = await sessions.get('exact', 1, { values, shapes: ['x'] })
      const plain = await sessions.get('plain', 1, { values, shapes: [] })
      const feed = feedOf(entry)
      const one = await exact.run(feed, 0, feed.samples, new Map())
      const two = await plain.run(feed, 0, feed.samples, new Map())
      for (const [name, value] of one.values) truth.set(name, value)
      say({ k, values, wrong: differing(two.values, truth) })
    } catch (error) {
      const { code, message } = error as Error & { code?: string }
      say({ k, values, code, message })
    }
  }
}
say({ done: cases.length })

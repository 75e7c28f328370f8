// What is proven of random networks, against onnxruntime sample by sample: nothing that is said of a value may
// be wrong, and something has to be said of most.
import test, { type ExecutionContext } from 'ava'
import { skeleton } from '../../lib/graph/skeleton.js'
import { Architecture } from '../../lib/model/architecture.js'
import type * as ort from '../../lib/native/onnxruntime.js'
import { openModel } from '../../lib/onnx/index.js'
import type { Part } from '../../lib/runtime/apart/parts.js'
import { Proof } from '../../lib/runtime/apart/proof.js'
import { stack } from '../../lib/runtime/feeds.js'
import type { Feed } from '../../lib/runtime/protocol.js'
import { Sessions } from '../../lib/runtime/sessions.js'
import { batches, RandomGraph, type Value } from '../cases/random-graphs.js'
import { model } from '../support/onnx.js'

/** `APART_SEED=5000 APART_GRAPHS=4000` draws others, or more. */
const seed = Number(process.env.APART_SEED ?? 1)
const graphs = Number(process.env.APART_GRAPHS ?? 250)

const near = (a: number, b: number) =>
  Object.is(a, b) || Math.abs(a - b) <= 1e-4 * (1 + Math.abs(a))
const numbers = ({ data }: ort.Tensor) => Array.from(data as ArrayLike<number | bigint>, Number)

/** What is wrong in a run of a batch with what was said of a value. */
function wrongIn(part: Part, batch: readonly number[], run: ort.Tensor, alone: ort.Tensor[]) {
  const { dims } = run
  const found = numbers(run)
  const of = `in a batch of ${batch.length} of shape (${dims})`
  if (part.kind !== 'samples') {
    const first = alone[0] as ort.Tensor
    if (`${first.dims}` !== `${dims}`) return `another shape than (${first.dims}) ${of}`
    const expected = numbers(first).map((value, e) => {
      return part.kind === 'sizes' && part.samples[e] ? batch.length : value
    })
    return expected.every((value, e) => near(value, found[e] ?? NaN)) ? '' : `other numbers ${of}`
  }
  const { axis, rank } = part
  if (dims.length !== rank || dims[axis] !== batch.length) return `samples elsewhere ${of}`
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1)
  for (const [place, row] of batch.entries()) {
    const own = alone[row] as ort.Tensor
    if (`${own.dims}` !== `${dims.with(axis, 1)}`) return `shape (${own.dims}) of one ${of}`
    const expected = numbers(own)
    const isSame = expected.every((value, e) => {
      const block = Math.floor(e / inner) * batch.length + place
      return near(value, found[block * inner + (e % inner)] ?? NaN)
    })
    if (!isSame) return `sample ${row} has other numbers ${of}`
  }
  return ''
}

const wrong = (part: Part, { runs }: Value) =>
  batches.map((batch, b) => wrongIn(part, batch, runs[b] as ort.Tensor, runs)).find(Boolean)

/** Of how many values something is said, and of how many samples keep apart on some axis. */
async function check(t: ExecutionContext, graph: RandomGraph, name: string) {
  const last = graph.values.at(-1) as Value
  const [one] = last.runs as [ort.Tensor]
  const shape = one.dims.map((_, k) => `O${k}`)
  const outputs = [{ name: last.name, type: one.type as 'float32', shape }]
  const file = await openModel(model({ ...graph.spec, outputs }))
  const architecture = new Architecture(file, { batchAxis: { x: graph.axis } })
  const { graph: prepared, fed } = architecture
  const init = {
    skeleton: skeleton(file, prepared, fed),
    graph: prepared.native,
    inputs: [{ name: 'x', id: prepared.ids.get('x') as number }],
    free: false,
    double: false,
    outputs: [last.name],
  }
  const { values: inferred } = await new Sessions(init).inferred()
  const { small } = await architecture.plan()
  const data = Float32Array.from(graph.rows.flatMap((row) => [...row]))
  const array = { name: 'x', type: 'float32', shape: [3, ...graph.rest], data, axis: graph.axis }
  const x: Feed = { samples: 3, arrays: [array as Feed['arrays'][0]] }
  const valuesByName = new Map(graph.values.map((value) => [value.name, value]))
  const alone = (names: readonly string[]) =>
    names.map((one) => [one, valuesByName.get(one)?.runs[0] as ort.Tensor] as const)
  const ids = new Map(fed.map(({ id }) => [id, id]))
  const count = { said: 0, apart: 0 }
  for (const value of graph.values.slice(1)) {
    const id = prepared.ids.get(value.name)
    if (id === undefined) continue
    const isApart = dimsOf(value).some((_, axis, { length: rank }) => {
      return wrong({ kind: 'samples', axis, rank }, value) === undefined
    })
    if (isApart) count.apart += 1
    const proof = Proof.of({ init, inferred, small, fed: ids, ids: [id], x })
    const ran = {
      values: new Map(alone([value.name, ...(proof?.numbers ?? [])])),
      shapes: new Map(alone(proof?.shapes ?? []).map(([n, { dims }]) => [n, [...dims]])),
    }
    const parts = proof?.parts(stack(x, [0]), ran)
    for (const [k, part] of parts ?? []) {
      const about = valuesByName.get(prepared.native.values[k]?.name ?? '')
      const problem = about && wrong(part, about)
      const shape = about && proof?.told(k)
      if (shape) t.deepEqual(shape, about.runs[0]?.dims, `${name}: shape of ${about.name}`)
      if (problem) t.fail(`${name}: ${about.name} ${JSON.stringify(part)}: ${problem}`)
    }
    if (isApart && parts?.get(id)?.kind === 'samples') count.said += 1
  }
  return count
}

const dimsOf = ({ runs }: Value) => runs[0]?.dims ?? []

test('what is proven of random networks is so', async (t) => {
  t.timeout(300_000)
  const sum = { said: 0, apart: 0 }
  for (let k = 0; k < graphs; k += 1) {
    const graph = new RandomGraph(seed + k)
    await graph.grow(7)
    if (graph.nodes.length === 0) continue
    const { said, apart } = await check(t, graph, `APART_SEED=${seed + k} APART_GRAPHS=1`)
    sum.said += said
    sum.apart += apart
  }
  t.log(`${sum.said} of ${sum.apart} values whose samples keep apart are proven`)
  if (graphs >= 250) t.true(sum.said > 0.6 * sum.apart && sum.apart > 200)
})

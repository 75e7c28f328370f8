// Checkpoints as files, maps and networks: order, names, memory, aborts, and what is refused.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { stepOf } from '../../lib/alignment/checkpoint-files.js'
import { alignmentAlong, type NdArray, train, writeSafetensors } from '../../lib/index.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

type Teardown = { teardown(fn: () => Promise<void>): void }

async function scratch(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'align-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a training’s own checkpoints, and ONNX files', async (t) => {
  const folder = await scratch(t)
  const random = new Random(21)
  const bytes = mlp(random, [4, 8, 3])
  const network = await load(t, bytes)
  const x = samples(random, [30, 4])
  const target = { data: Int32Array.from({ length: 30 }, (_, i) => i % 3), shape: [30] }
  const { weights } = await train(
    network,
    { x, target },
    {
      epochs: 4,
      batch: 10,
      optimizer: { kind: 'adam', learningRate: 0.05 },
      checkpoints: { folder, every: 2 },
    },
  )
  const trained = await network.withParameters(weights)
  t.teardown(() => trained.dispose())
  const start = join(folder, 'start.onnx')
  const end = join(folder, 'end.onnx')
  await writeFile(start, bytes)
  await writeFile(end, await trained.toOnnx())
  const files = [start, ...[2, 4].map((k) => join(folder, `weights-${k}.safetensors`)), end]
  const items = []
  const fractions: number[] = []
  const options = {
    target,
    onProgress: ({ fraction }: { fraction: number }) => fractions.push(fraction),
  }
  for await (const item of alignmentAlong(network, x, files, options)) items.push(item)
  t.deepEqual(
    items.map(({ index, name, step }) => [index, name, step]),
    [
      [0, 'start', null],
      [1, 'weights-2', 2],
      [2, 'weights-4', 4],
      [3, 'end', null],
    ],
  )
  t.true((items[2]?.total.initial.distance as number) > 0.01)
  // The same weights in another file.
  t.is(items[3]?.total.previous?.distance, 0)
  t.true(items[2]!.total.labels!.centred! > items[0]!.total.labels!.centred!)
  t.deepEqual([...(items[1]?.parts.keys() ?? [])], ['l.0', 'l.1'])
  t.is(fractions.at(-1), 1)
  t.deepEqual(
    fractions,
    [...fractions].sort((a, b) => a - b),
  )
  for (const { seconds } of items) t.true(seconds.native > 0 && seconds.native <= seconds.whole)
})

test('names and steps can be given; a network is left open', async (t) => {
  const random = new Random(22)
  const network = await load(t, mlp(random, [3, 2]))
  const x = samples(random, [4, 3])
  const given = [{ source: network, name: 'first', step: 7 }, network]
  const seen = []
  for await (const { name, step } of alignmentAlong(network, x, given)) seen.push([name, step])
  t.deepEqual(seen, [
    ['first', 7],
    ['checkpoint 1', null],
  ])
  t.is((await network.run(x)).shape[0], 4)
  t.is(stepOf('/a/run-3/epoch_012.safetensors'), 12)
  t.is(stepOf('model.onnx'), null)
})

test('forty checkpoints take the memory of three, and one is read ahead', async (t) => {
  const random = new Random(23)
  const network = await load(t, mlp(random, [3, 5, 2]))
  const x = samples(random, [20, 3])
  let read = 0
  let measured = 0
  let ahead = 0
  async function* many() {
    for (; read < 40; ) {
      read += 1
      ahead = Math.max(ahead, read - measured)
      yield new Map<string, NdArray>([
        ['l.1.bias', { data: Float32Array.from([read, -read]), shape: [2] }],
      ])
    }
  }
  const memory = new Set<ArrayBufferLike>()
  for await (const { kernels } of alignmentAlong(network, x, many())) {
    measured += 1
    memory.add(kernels.total.data.buffer)
    for (const { data } of kernels.parts.values()) memory.add(data.buffer)
  }
  t.is(measured, 40)
  t.is(memory.size, 9, 'three checkpoints of a whole kernel and two layers')
  t.true(ahead <= 2, `${ahead} were read before they were needed`)
})

test('whoever stops early leaves nothing behind', async (t) => {
  const random = new Random(24)
  const network = await load(t, mlp(random, [3, 4, 2]))
  const x = samples(random, [5, 3])
  let closed = false
  function* endless() {
    try {
      for (;;) yield new Map<string, NdArray>()
    } finally {
      closed = true
    }
  }
  for await (const { index } of alignmentAlong(network, x, endless())) if (index === 2) break
  t.true(closed)
  t.is((await network.run(x)).shape[0], 5)
})

test('checkpoints of another network are refused by the name of the file', async (t) => {
  const folder = await scratch(t)
  const random = new Random(25)
  const network = await load(t, mlp(random, [3, 4, 2]))
  const other = await load(t, mlp(random, [3, 5, 2]))
  const x = samples(random, [5, 3])
  const arrays = new Map<string, NdArray>(
    other.parameters.map(({ name }) => [name, other.weight(name)]),
  )
  const shapes = join(folder, 'shapes.safetensors')
  const names = join(folder, 'names.safetensors')
  const model = join(folder, 'other.onnx')
  await writeSafetensors(shapes, arrays)
  await writeSafetensors(names, new Map([['elsewhere', samples(random, [2])]]))
  await writeFile(model, mlp(random, [3, 4, 4, 2]))
  const refused = async (file: string, message: RegExp) => {
    let seen = 0
    const error = await t.throwsAsync(async () => {
      for await (const _ of alignmentAlong(network, x, [network, file, network])) seen += 1
    })
    t.is(error?.name, 'TangentError')
    t.regex(error?.message ?? '', message)
    t.is(seen, 1, 'those before it are measured')
  }
  await refused(shapes, /floats of shape \(4, 3\) for .*shapes\.safetensors.*\(5, 3\)/)
  await refused(names, /names\.safetensors/)
  await refused(model, /other\.onnx/)
  await refused(join(folder, 'nowhere.safetensors'), /nowhere\.safetensors/)
  await t.throwsAsync(
    async () => {
      for await (const _ of alignmentAlong(network, x, [other]));
    },
    { code: 'BAD_ARGUMENT', message: /checkpoints\[0\]/ },
  )
  await t.throwsAsync(
    async () => {
      for await (const _ of alignmentAlong(network, x, [3 as never]));
    },
    { code: 'BAD_ARGUMENT', message: /checkpoints\[0\]/ },
  )
})

test('options and data that do not fit are one sentence each', async (t) => {
  const random = new Random(26)
  const network = await load(t, mlp(random, [3, 2]))
  const x = samples(random, [4, 3])
  const refused = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(
      async () => {
        for await (const _ of alignmentAlong(network, x, [network], options));
      },
      { code, message } as never,
    )
  const labels = (count: number) => ({
    data: new Int32Array(count).map((_, i) => i % 2),
    shape: [count],
  })
  await refused({ target: labels(5) }, 'BAD_INPUT', /\(5\)/)
  await refused({ learned: samples(random, [4, 3]) }, 'BAD_ARGUMENT', /\(4, 2\).*learned/)
  await refused({ kernel: 'diagonal' }, 'BAD_ARGUMENT', /trace, full/)
  await refused({ by: 'sample' }, 'BAD_ARGUMENT', /options\.by/)
  await refused({ spectrum: 'some' }, 'BAD_ARGUMENT', /options\.spectrum/)
  await refused({ top: [0] }, 'BAD_ARGUMENT', /options\.top/)
  await refused({ memory: 300 }, 'MEMORY_BUDGET', /three checkpoints.*would fit/)
  const values = { data: Float64Array.from([0.1, 0.2, 0.3, 0.5]), shape: [4] }
  await refused({ kernel: 'full', target: values }, 'BAD_ARGUMENT', /full kernels/)
})

test('weights that overflow are named with their checkpoint', async (t) => {
  const random = new Random(27)
  const network = await load(t, mlp(random, [3, 4, 2]))
  const x = samples(random, [4, 3])
  const huge = new Map([['l.1.weight', { data: new Float32Array(8).fill(3e38), shape: [2, 4] }]])
  await t.throwsAsync(
    async () => {
      const given = [network, { source: huge, name: 'epoch 9' }]
      for await (const _ of alignmentAlong(network, x, given));
    },
    { code: 'NUMERICAL', message: /epoch 9/ },
  )
  // A linear layer's kernel does not see its own weights; its outputs do.
  const linear = await load(t, mlp(random, [3, 2]))
  const nan = new Map([
    ['l.0.weight', { data: new Float32Array(6).fill(Number.NaN), shape: [2, 3] }],
  ])
  await t.throwsAsync(
    async () => {
      for await (const _ of alignmentAlong(linear, x, [{ source: nan, name: 'epoch 3' }]));
    },
    { code: 'NUMERICAL', message: /epoch 3/ },
  )
})

test('an abort rejects, and the network stays usable', async (t) => {
  const random = new Random(28)
  const network = await load(t, mlp(random, [20, 64, 64, 10]))
  const x = samples(random, [400, 20])
  const controller = new AbortController()
  let seen = 0
  const error = await t.throwsAsync(
    async () => {
      const given = Array.from({ length: 50 }, () => network)
      for await (const _ of alignmentAlong(network, x, given, { signal: controller.signal })) {
        seen += 1
        if (seen === 2) setTimeout(() => controller.abort(), 5)
      }
    },
    { any: true } as never,
  )
  t.is((error as unknown as DOMException).name, 'AbortError')
  t.true(seen >= 2 && seen < 50)
  t.is((await network.run(x)).shape[0], 400)
})

// What `auto` counts and chooses, by given rates: no card is needed.
import test from 'ava'
import { workOf } from '../../lib/derivatives/choose.js'
import { buildMlp, type NdArray, Network, train } from '../../lib/index.js'
import { cores } from '../../lib/model/core.js'
import {
  chooseFaster,
  doubleRates,
  expectedSeconds,
  factorWork,
  fitWork,
  flowWork,
  softmaxWork,
  spectrumWork,
} from '../../lib/native/choose.js'
import type { MatrixLayer } from '../../lib/runtime/protocol.js'
import { type TrainingCall, trainingWork } from '../../lib/train/choose.js'
import { reference } from '../support/reference.js'

// As data sheets have them: an H200, and two cores.
const card = { name: 'cuda:0', what: 'NVIDIA H200', flops: 67e12, bandwidth: 4.8e12 }
const processor = { flops: 300e9, bandwidth: 20e9, threads: 2 }

const call = (layers: MatrixLayer[], samples: number, outputs: number) => ({
  ...{ layers, samples, samples2: samples, same: true, outputs, pairs: true },
  ...{ extent: layers.reduce((sum, { rows, positions }) => sum + rows * positions, 0) },
  ...{ results: 4 * (samples * outputs) ** 2, bytes: 4, nodes: 2 * layers.length, onHost: 0 },
})

const dense = (rows: number, columns: number) => ({ rows, columns, positions: 1 })
const wide = [dense(2048, 3072), dense(2048, 2048), dense(10, 2048)]

test('work is what closed forms say', (t) => {
  // One dense layer m × k: the pass N·O·2mk, Gram matrices N²·k and (N·O)²·m, both halves at half.
  const [N, O, m, k] = [50, 10, 2048, 3072]
  const { flops, launches } = workOf(call([dense(m, k)], N, O))
  t.is(flops, 2 * N * O * m * k + N * N * (k + O * O * m))
  t.is(launches, 2 * 4)
  // Of two inputs all pairs, and the passes of both.
  const both = workOf({ ...call([dense(m, k)], N, O), same: false })
  t.is(both.flops, 4 * N * O * m * k + 2 * N * N * (k + O * O * m))
  // A small weight at many positions is formed.
  const conv = { rows: 16, columns: 27, positions: 1024 }
  const formed = 2 * N * O * 1024 * 16 * 27
  t.is(workOf(call([conv], N, O)).flops, 2 * formed + N * N * O * O * 16 * 27)
})

test('the faster one is chosen, in words', (t) => {
  const large = chooseFaster(workOf(call(wide, 2000, 10)), card, processor, true)
  t.is(large.name, 'cuda:0')
  t.regex(
    large.why,
    /^[\d.]+ s expected on NVIDIA H200, [\d.e+]+ s on 2 of the processor's threads$/,
  )
  const small = chooseFaster(workOf(call([dense(8, 2)], 10, 1)), card, processor, false)
  t.is(small.name, 'cpu')
  // Getting the card ready counts once.
  const middle = call(wide, 30, 4)
  t.is(chooseFaster(workOf(middle), card, processor, true).name, 'cpu')
  t.is(chooseFaster(workOf(middle), card, processor, false).name, 'cuda:0')
})

test('slower cards and faster processors turn the choice', (t) => {
  const given = call(wide, 500, 10)
  const slow = { ...card, flops: card.flops / 1e4, bandwidth: card.bandwidth / 1e4 }
  t.is(chooseFaster(workOf(given), card, processor, false).name, 'cuda:0')
  t.is(chooseFaster(workOf(given), slow, processor, false).name, 'cpu')
  const fast = { flops: 1e15, bandwidth: 1e14, threads: 96 }
  t.is(chooseFaster(workOf(given), card, fast, false).name, 'cpu')
})

/** One dense layer of weights alone. */
const training = (m: number, k: number, more: Partial<TrainingCall> = {}): TrainingCall => ({
  ...{ model: 'full', layers: [dense(m, k)], moments: 2, steps: 100, batch: 50, runs: 1 },
  parameters: [{ name: 'w', count: m * k, layout: { modes: [m, k] } }],
  ...{ outputs: m, extent: m + k, nodes: 1, onHost: 0 },
  ...more,
})

test('what a training comes to is what closed forms say', (t) => {
  const [m, k] = [30, 20]
  const full = trainingWork(training(m, k))
  // Cotangents times W, and δ ⊗ h: twice 2·n·m·k. Weights come down in each step.
  t.is(full.flops, 100 * 2 * 2 * 50 * m * k)
  t.is(full.traffic, 4 * (100 * (50 * (m + k + m) + m * k) + 3 * m * k + m * k))
  // Tangents too, and the outputs' change in place of the weights.
  const fixed = trainingWork(training(m, k, { model: 'fixed' }))
  t.is(fixed.flops, 2 * full.flops)
  t.is(full.traffic - fixed.traffic, 4 * 100 * (m * k - 50 * m))
  // Δ = M_1 Θ M_2, and two gradients of each product.
  const adaptive = trainingWork(training(m, k, { model: 'adaptive' }))
  t.is(adaptive.flops - fixed.flops, 100 * 3 * 2 * m * k * (m + k))
  // Sample by sample a step takes a pass for each.
  const each = trainingWork(training(m, k, { runs: 50 }))
  t.is(each.launches - full.launches, 100 * 49 * 4)
})

test('trainings that are bound by launches stay with the processor, wide ones do not', (t) => {
  const choose = (width: number) =>
    chooseFaster(trainingWork(training(width, width)), card, processor, false).name
  t.is(choose(16), 'cpu')
  t.is(choose(4096), 'cuda:0')
})

test('launches of a training are counted to a factor of two', async (t) => {
  const hidden = [12, 12, 12]
  const network = await Network.load(await buildMlp({ inputs: 6, hidden, outputs: 3 }))
  t.teardown(() => network.dispose())
  const core = cores.get(network)
  if (!core) throw new Error('no core')
  const x: NdArray = { data: new Float32Array(60).fill(0.5), shape: [10, 6] }
  const target = { data: Int32Array.from({ length: 10 }, (_, i) => i % 3), shape: [10] }
  for (const model of ['full', 'fixed', 'adaptive'] as const) {
    const counts: number[] = []
    const { ask } = core
    core.ask = ((...given: Parameters<typeof ask>) => {
      const asked = ask.apply(core, given)
      void asked.result.then((reply) => {
        const { device } = reply as { device?: { launches: number; products: number } | null }
        if (device) counts.push(device.launches + device.products)
      })
      return asked
    }) as typeof ask
    await train(
      network,
      { x, target },
      {
        ...{ model, epochs: 3, batch: 5, device: 'emulated' },
        optimizer: { kind: 'adam', learningRate: 0.01 },
      },
    )
    core.ask = ask
    const [first, second] = counts as [number, number]
    const modes = (m: number, k: number) => ({ name: 'w', count: m * k, layout: { modes: [m, k] } })
    const bias = (m: number) => ({ name: 'b', count: m, layout: { modes: [] } })
    const sizes = [6, ...hidden, 3]
    const parameters = hidden.concat(3).flatMap((m, l) => [modes(m, sizes[l] as number), bias(m)])
    const { launches } = trainingWork({
      ...training(12, 12, { model, steps: 2, parameters, nodes: 7 }),
    })
    const measured = second - first
    t.true(measured > launches / 2 && measured < 2 * launches, `${model}: ${measured}, ${launches}`)
  }
})

test('matrices of doubles are chosen by what they come to', async (t) => {
  const choose = (work: ReturnType<typeof factorWork>, first = false) =>
    chooseFaster(work, { ...card, flops: 67e12 }, { ...processor, flops: 150e9 }, first).name
  // A factor of 3,000 rows takes the processor a tenth of a second, its way up 7 ms.
  t.is(choose(factorWork(3000)), 'cuda:0')
  t.is(choose(factorWork(3000), true), 'cpu')
  t.is(choose(factorWork(100)), 'cpu')
  for (const large of [spectrumWork(5000, true), spectrumWork(5000, false), softmaxWork(5000)])
    t.is(choose(large, true), 'cuda:0')
  t.is(choose(fitWork(100, 1000)), 'cpu')
  t.is(choose(fitWork(5000, 10_000), true), 'cuda:0')
  t.is(choose(flowWork(100, 100)), 'cpu')
  t.is(choose(flowWork(10_000, 2000), true), 'cuda:0')
  const { flops, bandwidth } = await doubleRates(1)
  t.true(flops > 1e8 && bandwidth > 1e7)
  t.is(doubleRates(1), doubleRates(1))
})

test('nodes that the processor serves cost their traffic', (t) => {
  const given = call(wide, 500, 10)
  const alone = expectedSeconds(workOf(given), card, true)
  const served = expectedSeconds(workOf({ ...given, onHost: 3 }), card, true)
  // Down and up again, half of all numbers of 5000 cotangents, at 10 GB/s.
  const bytes = 2 * 4 * 500 * 10 * given.extent * (3 / 6)
  t.true(Math.abs(served - alone - bytes / 10e9) < 1e-9)
})

test('a card whose driver tells no rates is used as it is', (t) => {
  const unknown = { ...card, flops: 0, bandwidth: 0 }
  const chosen = chooseFaster(workOf(call([dense(8, 2)], 10, 1)), unknown, processor, true)
  t.deepEqual(chosen, {
    name: 'cuda:0',
    why: 'NVIDIA H200 can be used; its driver tells no rates',
  })
})

test('weights are found with their sizes and positions', async (t) => {
  const layersOf = async (network: Network, x: Parameters<Network['ntk']>[0]) => {
    const core = cores.get(network)
    if (!core) throw new Error('no core')
    const feed = await core.feed(x, 'x', {})
    const { costs } = await core.describe(feed, 1, 2 ** 30, {}, true)
    t.true((costs?.rates.flops ?? 0) > 1e8 && (costs?.rates.bandwidth ?? 0) > 1e7)
    return costs?.layers
  }
  const mlp = await Network.load(await buildMlp({ inputs: 3, hidden: [8, 5], outputs: 2 }))
  t.teardown(() => mlp.dispose())
  t.deepEqual(await layersOf(mlp, { data: new Float32Array(6), shape: [2, 3] }), [
    dense(8, 3),
    dense(5, 8),
    dense(2, 5),
  ])
  const { model, input } = await reference('cnn')
  const cnn = await Network.load(model)
  t.teardown(() => cnn.dispose())
  const layers = (await layersOf(cnn, input)) ?? []
  t.true(layers.length > 1)
  const weights = cnn.parameters.filter(({ shape }) => shape.length > 1)
  t.deepEqual(
    layers.map(({ rows, columns }) => rows * columns),
    weights.map(({ shape }) => shape.reduce((product, size) => product * size, 1)),
  )
})

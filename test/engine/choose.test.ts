// What `auto` counts and chooses, by given rates: no card is needed.
import test from 'ava'
import { chooseFaster, expectedSeconds, workOf } from '../../lib/derivatives/choose.js'
import { buildMlp, Network } from '../../lib/index.js'
import { cores } from '../../lib/model/core.js'
import type { MatrixLayer } from '../../lib/runtime/protocol.js'
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
  const large = chooseFaster(call(wide, 2000, 10), card, processor, true)
  t.is(large.name, 'cuda:0')
  t.regex(
    large.why,
    /^[\d.]+ s expected on NVIDIA H200, [\d.e+]+ s on 2 of the processor's threads$/,
  )
  const small = chooseFaster(call([dense(8, 2)], 10, 1), card, processor, false)
  t.is(small.name, 'cpu')
  // Getting the card ready counts once.
  const middle = call(wide, 30, 4)
  t.is(chooseFaster(middle, card, processor, true).name, 'cpu')
  t.is(chooseFaster(middle, card, processor, false).name, 'cuda:0')
})

test('slower cards and faster processors turn the choice', (t) => {
  const given = call(wide, 500, 10)
  const slow = { ...card, flops: card.flops / 1e4, bandwidth: card.bandwidth / 1e4 }
  t.is(chooseFaster(given, card, processor, false).name, 'cuda:0')
  t.is(chooseFaster(given, slow, processor, false).name, 'cpu')
  const fast = { flops: 1e15, bandwidth: 1e14, threads: 96 }
  t.is(chooseFaster(given, card, fast, false).name, 'cpu')
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
  const chosen = chooseFaster(call([dense(8, 2)], 10, 1), unknown, processor, true)
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

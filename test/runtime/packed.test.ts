// Weights inside of sessions: each network answers with its own, however often and next to whichever
// others it is asked, and what the copies take is known.

import { readFileSync } from 'node:fs'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { Network } from '../../lib/index.js'
import { makeValueInfo } from '../../lib/onnx/index.js'
import { ModelProtoSchema } from '../../lib/protobuf/index.js'
import { Packed } from '../../lib/runtime/packed.js'
import { weightsFrom } from '../../lib/runtime/path.js'
import { near } from '../support/near.js'
import { load } from '../support/networks.js'
import { reference } from '../support/reference.js'

/** More calls than it takes to put weights inside. */
const often = 18

test('networks of one architecture, asked in turn', async (t) => {
  const [first, second] = await Promise.all(['mlp_init', 'mlp_trained'].map(reference))
  const network = await load(t, first!.model)
  const other = await network.withParameters(second!.model)
  t.teardown(() => other.dispose())
  for (let call = 0; call < often; call += 1) {
    for (const [asked, truth] of [
      [network, first!],
      [other, second!],
    ] as const) {
      near(t, await asked.run(truth.input), truth.output, 1e-5, `run ${call} of ${truth.name}`)
      near(t, await asked.ntk(truth.input), truth.ntk, 1e-5, `kernel ${call} of ${truth.name}`)
    }
  }
  await network.dispose()
  near(t, await other.run(second!.input), second!.output, 1e-5, 'the other one, which is left')
})

test('statistics of a normalisation inside, too', async (t) => {
  const truth = await reference('resnet8_bn')
  const network = await load(t, truth.model)
  const few = { ...truth.input, data: truth.input.data.slice() }
  for (let call = 0; call < often; call += 1) {
    const kernel = await network.ntk(few, undefined, { kernel: 'trace', outputs: [0] })
    t.true(kernel.shape.length === 2)
  }
  near(t, await network.run(few), truth.output, 1e-5)
  near(t, await network.ntk(few), truth.ntk, 1e-5)
})

test('old files, which list stored numbers among their inputs', async (t) => {
  const [first, second] = await Promise.all(['mlp_init', 'mlp_trained'].map(reference))
  const proto = fromBinary(ModelProtoSchema, readFileSync(first!.model))
  proto.irVersion = 3n
  for (const { name, dataType, dims } of proto.graph!.initializer) {
    proto.graph!.input.push(makeValueInfo(name, dataType, dims.map(Number)))
  }
  const network = await load(t, toBinary(ModelProtoSchema, proto))
  const other = await network.withParameters(second!.model)
  t.teardown(() => other.dispose())
  for (let call = 0; call < 5; call += 1) {
    near(t, await network.run(first!.input), first!.output, 1e-5)
    near(t, await other.run(second!.input), second!.output, 1e-5)
  }
})

test('a budget without room for a copy gives the same', async (t) => {
  const truth = await reference('mlp_init')
  const network = await Network.load(truth.model, { memory: '8MiB' })
  t.teardown(() => network.dispose())
  for (let call = 0; call < often; call += 1) {
    near(t, await network.run(truth.input), truth.output, 1e-5)
  }
  near(t, await network.ntk(truth.input), truth.ntk, 1e-5)
})

class Fake {
  released = false
  async release(): Promise<void> {
    this.released = true
  }
}

const weightsOf = (count: number) =>
  weightsFrom([{ name: 'w', id: 0, shape: [count], data: new Float32Array(count) }])
const made = () => Promise.resolve(new Fake())

test('copies are made late, counted, and given up for others', async (t) => {
  const packed = new Packed<Fake>()
  const own = weightsOf(1000)
  const other = weightsOf(1000)
  packed.know(own)
  packed.know(other)
  const memory = 64_000
  t.is(packed.begin(own, 'run', memory), 4000)
  const session = await packed.get(own, 'run', made)
  t.false(session?.released)
  packed.none()
  t.is(packed.get(own, 'run', made), undefined)
  t.is(packed.begin(other, 'run', memory), 4000)
  t.is(packed.get(other, 'run', made), undefined)
  for (let call = 2; call < 4; call += 1) packed.begin(other, 'run', memory)
  t.is(packed.begin(other, 'run', memory), 8000)
  const second = await packed.get(other, 'run', made)
  t.is(packed.get(own, 'run', made), undefined)
  // 2000 bytes is all that copies may take of this.
  t.is(packed.begin(other, 'compute', 8000), 0)
  await null
  t.true(session?.released)
  t.true(second?.released)
})

test('derivatives get theirs after many calls; what fails is not tried again', async (t) => {
  const packed = new Packed<Fake>()
  const own = weightsOf(10)
  packed.know(own)
  for (let call = 1; call < 16; call += 1) t.is(packed.begin(own, 'compute', 1e6), 0)
  t.is(packed.begin(own, 'compute', 1e6), 40)
  await t.throwsAsync(async () => packed.get(own, 'taps', () => Promise.reject(new Error('no'))))
  t.is(packed.begin(own, 'compute', 1e6), 0)
  t.is(packed.get(own, 'taps', made), undefined)
})

test('a network that is forgotten leaves nothing', async (t) => {
  const packed = new Packed<Fake>()
  const own = weightsOf(10)
  packed.know(own)
  packed.begin(own, 'run', 1e6)
  const session = await packed.get(own, 'run', made)
  packed.forget(own)
  await null
  t.true(session?.released)
  t.is(packed.get(own, 'run', made), undefined)
})

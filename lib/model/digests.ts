// Digests of networks and numbers: what a training's state or a fitted model belongs to.
import { createHash, type Hash } from 'node:crypto'
import { toBinary } from '@bufbuild/protobuf'
import { toBytes } from '../io/index.js'
import { initializerData } from '../onnx/index.js'
import { AttributeProtoSchema, TensorProtoSchema } from '../protobuf/index.js'
import type { Core } from './core.js'

/** An array with the name that it goes by. */
export interface NamedArray {
  name: string
  shape: readonly number[]
  data: ArrayBufferView
}

/** SHA-256 of arrays, their names and shapes, in the order given. */
export function digestOf(arrays: readonly NamedArray[]): string {
  const hash = createHash('sha256')
  for (const { name, shape, data } of arrays) {
    hash.update(headOf(name, shape))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return hash.digest('hex')
}

const headOf = (name: string, shape: readonly number[]) => JSON.stringify([name, shape])

/** What a network is, whatever file it lies in. */
export interface NetworkDigests {
  /** Of its operators, how they are wired and their attributes. */
  network: string
  /** Of all numbers that it stores: weights, as they are now, and constants. */
  weights: string
}

const known = new WeakMap<Core, Promise<NetworkDigests>>()

/** Computed once for each network. */
export function networkDigests(core: Core): Promise<NetworkDigests> {
  let digests = known.get(core)
  if (!digests) {
    digests = weightsOf(core).then((weights) => ({ network: structureOf(core), weights }))
    known.set(core, digests)
  }
  return digests
}

function structureOf({ architecture: { graph } }: Core): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify(graph.inputs))
  for (const { opType, domain, input, output, attribute } of graph.nodes) {
    hash.update(JSON.stringify([opType, domain, input, output]))
    for (const one of [...attribute].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      hash.update(toBinary(AttributeProtoSchema, { ...one, docString: '' }))
    }
  }
  return hash.digest('hex')
}

async function weightsOf({ architecture, weights }: Core): Promise<string> {
  const { model, fed } = architecture
  const stored = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]))
  const shapes = new Map(fed.map(({ name, shape }) => [name, shape]))
  const names = [...new Set([...stored.keys(), ...shapes.keys()])].sort()
  const hash = createHash('sha256')
  for (const name of names) {
    const shape = shapes.get(name)
    const own = shape && weights.get(name)
    const tensor = stored.get(name)
    if (own) {
      hash.update(headOf(name, shape))
      await feed(hash, new Uint8Array(own.buffer, own.byteOffset, own.byteLength))
    } else if (tensor) {
      hash.update(headOf(name, tensor.dims.map(Number)))
      // Texts have no numbers; they are hashed as they are stored.
      const array = await initializerData(model, tensor).catch(() => undefined)
      await feed(hash, array ? toBytes(array) : toBinary(TensorProtoSchema, tensor))
    }
  }
  return hash.digest('hex')
}

/** Large arrays in pieces, between which other work of this thread goes on. */
async function feed(hash: Hash, bytes: Uint8Array): Promise<void> {
  const piece = 1 << 22
  for (let at = 0; at < bytes.length; at += piece) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve))
    hash.update(bytes.subarray(at, at + piece))
  }
}

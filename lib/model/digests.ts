// What a network is, whatever file it lies in: what a training's state, a fitted model or a job belongs to.
import { toBinary } from '@bufbuild/protobuf'
import { identify } from '../io/identify.js'
import { initializerData } from '../onnx/index.js'
import { AttributeProtoSchema, TensorProtoSchema } from '../protobuf/index.js'
import type { Core } from './core.js'

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
    digests = Promise.all([identify(structureOf(core)), weightsOf(core)]).then(
      ([network, weights]) => ({ network, weights }),
    )
    known.set(core, digests)
  }
  return digests
}

function structureOf({ architecture: { graph } }: Core): object {
  return {
    inputs: graph.inputs,
    nodes: graph.nodes.map(({ opType, domain, input, output, attribute }) => ({
      ...{ opType, domain, input, output },
      attributes: new Map(
        attribute.map((one) => [
          one.name,
          toBinary(AttributeProtoSchema, { ...one, docString: '' }),
        ]),
      ),
    })),
  }
}

/** One tensor at a time: only that is in memory. */
async function weightsOf({ architecture, weights }: Core): Promise<string> {
  const { model, fed } = architecture
  const stored = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]))
  const shapes = new Map(fed.map(({ name, shape }) => [name, shape]))
  const digests = new Map<string, string>()
  for (const name of new Set([...stored.keys(), ...shapes.keys()])) {
    const shape = shapes.get(name)
    const own = shape && weights.get(name)
    const tensor = stored.get(name)
    if (own) digests.set(name, await identify({ data: own, shape: [...shape] }))
    else if (tensor) {
      // Texts have no numbers; they are identified as they are stored.
      const array = await initializerData(model, tensor).catch(() => undefined)
      const { data, shape: dims } = array ?? {
        data: toBinary(TensorProtoSchema, tensor),
        shape: tensor.dims.map(Number),
      }
      digests.set(name, await identify({ data, shape: [...dims] }))
    }
  }
  return identify(digests)
}

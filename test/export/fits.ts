// Fits of the reference networks, one of each structure, and what they predict.
import {
  fitAdaptive,
  type NdArray,
  Network,
  type NetworkFitOptions,
  type NetworkModel,
} from '../../lib/index.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

export const fits: Readonly<Record<string, NetworkFitOptions>> = {
  mlp_init: { structure: 'matrix' },
  mlp_trained: { structure: 'fixed', blocks: 'parameter' },
  cnn: { structure: 'matrix', blocks: 'parameter' },
  resnet8: { structure: 'fixed' },
  resnet8_bn: { structure: 'diagonal', outputs: [2, 0] },
  mobilenet: { structure: 'matrix', outputs: [1] },
  vit: { structure: 'flat', outputs: [0] },
  text: { structure: 'modes', outputs: [1, 0] },
}

export interface Fit {
  network: Network
  fitted: NetworkModel
  /** Columns of the prediction. */
  width: number
  /** All samples of the reference. */
  input: NdArray
}

export function first({ data, shape, ...rest }: NdArray, samples: number): NdArray {
  const size = data.length / (shape[0] as number)
  return { ...rest, data: data.slice(0, samples * size), shape: [samples, ...shape.slice(1)] }
}

/** A fit to random targets of four samples; dispose of the network. */
export async function fitOf(name: string): Promise<Fit> {
  const options = fits[name] as NetworkFitOptions
  const { model, input } = await reference(name)
  const network = await Network.load(model)
  const x = first(input, 4)
  const { shape } = await network.run(x)
  const width = options.outputs?.length ?? (shape[1] as number)
  const y = { data: new Random(3).normals(4 * width), shape: [4, width] }
  const fitted = await fitAdaptive(network, x, y, { ridge: 1e-3, maxIterations: 5, ...options })
  return { network, fitted, width, input }
}

import { badArgument } from '../core/errors.js'
import type { TyingOptions } from '../graph/prepare.js'
import type { BatchMode } from '../model/architecture.js'
import type { Selector } from '../model/parameters.js'
import { chooseDevice, type DeviceName, type ProductPrecision } from '../native/device.js'
import type { AxisOptions } from '../onnx/index.js'

/** Options of {@link Network.load}. */
export interface LoadOptions extends TyingOptions, AxisOptions {
  /**
   * The value to differentiate (default: the file's first output): an output, or any float value of
   * the graph by name, such as the logits before a Softmax. {@link Network.values} lists them.
   */
  output?: string | undefined
  /** The parameters to differentiate with respect to (default: all). The others are frozen. */
  parameters?: Selector | undefined
  /** Parameters to leave out of all derivatives. */
  frozen?: Selector | undefined
  /**
   * What the network is a function of. `each` (default): of one sample; whatever makes the numbers of
   * a sample change with its batch is refused. `whole`: of all samples of a call together, which are
   * run in one pass, so that derivatives hold what samples do to each other's outputs. See
   * docs/batches.md.
   */
  batch?: BatchMode | undefined
  /**
   * Compute the network and its derivatives in float64 (default: false), for networks that float32 is
   * not accurate enough for: docs/float64.md. Results are Float64Array then. Several times slower.
   */
  float64?: boolean | undefined
  /**
   * Where derivatives are computed (default: `cpu`). A card that is named and cannot be used is refused
   * in one sentence; {@link Network.device} tells what `auto` chose. See docs/gpu.md.
   */
  device?: DeviceName | undefined
  /**
   * How a card multiplies float32 numbers (default: `float32`). `tf32` rounds factors to 10 bits behind the
   * point; kernels tell the error that was measured. See docs/gpu.md.
   */
  precision?: ProductPrecision | undefined
  /** Threads for all calls (default: what the machine has). */
  threads?: number | undefined
  /**
   * Memory budget of each call, its results included: bytes, or a text such as `'2GiB'` (default:
   * half of what the process may use).
   */
  memory?: number | string | undefined
  /** Folder of external weight files (default: the model's own). */
  externalData?: string | undefined
  /**
   * `throw` (default): a network that cannot be differentiated is refused when it is loaded.
   * `defer`: it loads, can be run and inspected ({@link Network.refusals}), and its derivatives
   * throw.
   */
  unsupported?: 'throw' | 'defer' | undefined
}

/** Checked, with axes by name in an object that has no names of its own, such as `constructor`. */
export function withOwnNames(options: LoadOptions): LoadOptions {
  const { batchAxis, shared } = options
  chooseDevice(options.device)
  if (batchAxis === null) throw badArgument('options.batchAxis', 'axes by name', batchAxis)
  if (shared !== undefined && !Array.isArray(shared)) {
    throw badArgument('options.shared', 'a list of inputs', shared)
  }
  if (typeof batchAxis !== 'object' || batchAxis === null) return options
  return { ...options, batchAxis: Object.assign(Object.create(null), batchAxis) }
}

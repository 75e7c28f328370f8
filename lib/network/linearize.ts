import { checkCall } from '../core/options.js'
import type { Direction } from '../derivatives/direction.js'
import { jvp } from '../derivatives/jvp.js'
import { run } from '../derivatives/run.js'
import { heldInputs, heldMap } from '../io/held.js'
import { type Floats, type NdArray, toFloats } from '../io/index.js'
import type { Core, DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'

/**
 * A network's first-order model around its parameters θ0, f(x; θ0) + J(x)·Δ: what fixed tangent
 * features can express (Jacot et al. 2018). Made by `Network.linearize()`.
 */
export class LinearizedNetwork {
  readonly #core: Core

  /** @internal */
  constructor(core: Core) {
    this.#core = core
  }

  /**
   * The model's output for a change of the parameters.
   * @param delta Δ: by name of a parameter an array of its shape; those not named do not change.
   * @returns (N, O) of the outputs wanted.
   * @throws TangentError `BAD_INPUT` when arrays do not fit the network, `BAD_ARGUMENT` for
   *   wrong options, `MEMORY_BUDGET` when the budget is too small (says what would fit),
   *   `NUMERICAL` for results that are not finite, `DISPOSED`; a DOMException named AbortError.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   *
   * // The last bias moves every output by as much as itself.
   * const delta = new Map([['dense2.bias', { data: Float32Array.of(0.5), shape: [1] }]])
   * const [linear, plain] = [await network.linearize().predict(x, delta), await network.run(x)]
   * console.log(
   *   [...linear.data].map((value, i) => (value - plain.data[i]).toFixed(3)).join(' '),
   * )
   * await network.dispose()
   * // 0.500 0.500
   * ```
   * @since 0.1.0
   */
  async predict(
    x: Inputs,
    delta: Direction,
    options: DerivativeOptions = {},
  ): Promise<NdArray<Floats>> {
    checkCall(options)
    const own = heldInputs(x, 'x')
    const change = await jvp(this.#core, own, heldMap(delta, 'delta'), options, 'delta')
    const { threads, signal, outputs } = options
    const base = toFloats(
      await run(this.#core, own, { threads, signal, outputs }),
      this.#core.architecture.double,
    )
    base.data.forEach((value: number, e: number) => {
      change.data[e] = (change.data[e] as number) + value
    })
    return change
  }
}

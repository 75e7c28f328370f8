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

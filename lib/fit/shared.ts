// What fits of the same features and targets have in common, whatever their ridges and prices.
import type { NativeKernelBuilder } from '../native/index.js'

/**
 * Kept while settings are compared, one fit after another: kernels of blocks that do not depend on how
 * the features are transformed, and the unit that prices are counted in.
 */
export class SharedWork {
  readonly #builders = new Map<string, NativeKernelBuilder>()
  readonly #scales = new Map<string, number>()

  /** Of an earlier fit with the same blocks kept fixed. */
  builder(fixed: string): NativeKernelBuilder | undefined {
    return this.#builders.get(fixed)
  }

  built(fixed: string, builder: NativeKernelBuilder): void {
    this.#builders.set(fixed, builder)
  }

  /** σ_1 of the fixed model, by which relative prices are counted, where a fit has found it. */
  scale(rules: string): number | undefined {
    return this.#scales.get(rules)
  }

  found(rules: string, scale: number): void {
    this.#scales.set(rules, scale)
  }
}

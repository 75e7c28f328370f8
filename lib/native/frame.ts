// The values of one forward run as the addon takes them.

export type NativeData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array

/** One value of a forward run. `data` only where `taps` names it (Uint8Array holds booleans). */
export interface NativeValue {
  id: number
  shape: number[]
  data?: NativeData
  /** Numbers that nobody reads after `release()`: their memory goes back at once. */
  passing?: boolean
}

/** The numbers of one forward run, pinned until `release()`. */
export interface NativeFrame {
  release(): void
}

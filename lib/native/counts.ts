// What a device was asked for.

/**
 * Launches and library calls, what they compute and move, bytes between host and device; how many nodes were
 * served there, pass by pass, and which ones by the processor.
 */
export interface NativeDeviceCounts {
  launches: number
  products: number
  flops: number
  bytes: number
  bytesUp: number
  bytesDown: number
  mostBytes: number
  /** Of products in TF32: the largest error of a part that was compared, and how many were. */
  tf32Error: number
  tf32Sampled: number
  nodes: number
  onHost: string[]
}

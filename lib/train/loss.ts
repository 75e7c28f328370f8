// Losses of a batch; native/train/loss.cc computes them.

/** `squared`: ½‖f − y‖². `cross-entropy`: −log softmax(f)_y of classes. Means over the batch. */
export type Loss = 'squared' | 'cross-entropy'

/** Targets: (N, O) numbers, or N classes. */
export type Targets = Float32Array | Int32Array

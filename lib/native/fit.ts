// The solver's part of the boundary to the addon.

/** What one iteration of the alternation did. */
export interface FitIteration {
  /** Counted from 1: kernel solves so far. */
  iteration: number
  /** Penalty + misfit / ridge. */
  objective: number
  /** Σ_blocks Ω̃(B). */
  penalty: number
  /** ‖r − fit‖². */
  misfit: number
  /** Relative decrease of the objective since the iteration before. */
  decrease: number
  /** sqrt(decrease that a plain step promised / objective) at the point it set out from. */
  stationarity: number
  /** A lower estimate of the condition number of the kernel that was factored. */
  condition: number
  /** How the new point was found. */
  step: 'plain' | 'anderson' | 'extended'
  /** Wall time of the iteration. */
  seconds: number
  /** Of that, building the adapted kernel, and factoring it with the solve. */
  kernelSeconds: number
  solveSeconds: number
  /** FLOPs of the products that the adapted kernel took. */
  kernelFlops: number
}

/** What a block's features are multiplied by: z along orthonormal directions, 1 elsewhere. */
export interface NativeTransform {
  /** Modes of the block's array; one of m·k for the flattened block. */
  dims: number[]
  /** Per mode: z (r) and vectors (r, dim). */
  modes: { z: Float64Array; vectors: Float64Array }[]
  /** Instead of modes: a factor for every number. Empty when there are modes. */
  numbers: Float64Array
}

/** Numbers of an array, or of a shared block (see `attachShared`). */
export type NativeNumbers = Float32Array | Float64Array | { block: number; double: boolean }

/** Sizes of factors. */
export interface NativeFactorSizes {
  positions: number
  m: number
  k: number
  /** One more column, as if every h ended in 1. */
  ones?: boolean
  /** h tells where the single 1 of every h_t is: int32 (samples, positions). */
  columns?: boolean
  /** So many samples after one another share their h, which is there once. */
  sharing?: number
}

/** The tangent features of one set of rows (row (i, o) = i·outputs + o), block after block. */
export interface NativeSolveFeatures {
  /**
   * x (rows, m, k), or (rows, k, m) when transposed; with a bias (rows, m) as one more column. A
   * shared block is taken without a copy where that is possible.
   * Resolves to the block's index.
   */
  addDense(
    x: NativeNumbers,
    m: number,
    k: number,
    transposed?: boolean,
    bias?: NativeNumbers,
  ): Promise<number>
  /** delta (rows, positions, m), h (samples, positions, k): X = Σ_t δ_t ⊗ h_t. */
  addFactors(
    delta: NativeNumbers,
    h: NativeNumbers | Int32Array,
    sizes: NativeFactorSizes,
  ): Promise<number>
  /** Fills `target`, new and empty, with the blocks of these samples. */
  select(target: NativeSolveFeatures, samples: number[]): Promise<void>
  /** Σ_blocks ⟨X_r, B⟩ for every row; b: all blocks' B, one after another. */
  apply(b: Float64Array, threads: number): Promise<Float64Array>
  /** Σ_r a_r X_r, block after block. */
  adjoint(a: Float64Array, threads: number): Promise<Float64Array>
  /** Σ_blocks ⟨M(X_r), M(X'_s)⟩: (rows, rows of other). */
  kernel(
    other: NativeSolveFeatures,
    transforms: NativeTransform[],
    threads: number,
    control?: BigInt64Array,
  ): Promise<Float64Array>
  readonly bytes: number
  /** Gives the memory back; whatever is asked later is refused. */
  free(): void
}

/** A penalty of one or more sides: powers of |z − 1|, or a function that fills value and z. */
export type NativePenalty =
  | number[]
  | { sides: number; evaluate(v: Float64Array, value: Float64Array, z: Float64Array): void }

export interface NativeBlockRule {
  structure: 'fixed' | 'matrix' | 'modes' | 'diagonal' | 'flat'
  dims: number[]
  /** 1 where a mode is transformed. */
  sides: number[]
  penalties: NativePenalty[]
}

export interface NativeIteration extends Omit<FitIteration, 'seconds'> {
  status: 'running' | 'converged' | 'stalled' | 'singular'
}

export interface NativeBlockSolution {
  penalty: number
  /** Empty for a fixed block. */
  singular: Float64Array
  /** (sides, r) */
  stretches: Float64Array
  /** (m, r) and (r, k); only of structure 'matrix'. */
  u: Float64Array
  vt: Float64Array
  transform: NativeTransform
  /** (m, k) */
  b: Float64Array
}

/** What fits of the same features build their kernels with (kernel_builder.h); JavaScript only holds it. */
export type NativeKernelBuilder = { readonly kind: 'kernel builder' }

/** The adaptive solver's state. Methods that compute run one at a time. */
export interface NativeSolveFit {
  /** Before anything else; resolves to √price in the targets' units. */
  setPrice(price: number, relative: boolean, control?: BigInt64Array): Promise<number>
  warmStart(b: Float64Array): Promise<void>
  iterate(control?: BigInt64Array): Promise<NativeIteration>
  last(): NativeIteration
  /** Gives the memory back, of the device too; nothing may be called afterwards. */
  free(): void
  block(index: number): Promise<NativeBlockSolution>
  /** Everything a later process needs to continue with the same bits. */
  save(): Float64Array
  readonly builder: NativeKernelBuilder
  restore(state: Float64Array): Promise<void>
  readonly status: NativeIteration['status']
  /** Rows left out because others imply them (ridge 0). */
  readonly redundant: number
  readonly solution: Float64Array
  readonly fit: Float64Array
  readonly dual: Float64Array
}

/** Eigenvalues of K as a basis shows them, descending. */
export interface NativeRitz {
  values: Float64Array
  /** ‖Kv − λv‖ of each; and what of it the vectors that were set aside have no part in. */
  residuals: Float64Array
  own: Float64Array
  /** What each eigenvector has along the basis' first vector. */
  first: Float64Array
}

/** Block Lanczos (krylov.h): `size` vectors that met K, `width` that wait; one call at a time. */
export interface NativeKrylovBasis {
  readonly size: number
  readonly width: number
  readonly aside: number
  /**
   * Vectors (n, columns) wait instead of the block that does so now, or in addition to it and what was set
   * aside; resolves to all that wait.
   */
  add(block: Float64Array, columns: number, append?: boolean): Promise<Float64Array>
  /** What was set aside waits, too. */
  recall(): Promise<Float64Array>
  /** The products of the block that waits; resolves to the next one. */
  extend(products: Float64Array): Promise<Float64Array>
  /** What of the vectors (n, columns) lies outside of the basis. */
  outside(block: Float64Array, columns: number): Promise<Float64Array>
  ritz(): Promise<NativeRitz>
  /** Largest eigenvalue outside of what was there at the last `add`; see krylov.h. */
  unseen(level: number): Promise<{ value: number; residual: number; logProbability: number }>
  /** Eigenvectors of the first values of the last ritz(), (count, n). */
  vectors(count: number): Promise<Float64Array>
}

/** K + ridge·I, ready to be asked (factor.h); of `not positive definite` nothing but the status. */
export interface NativeFactor {
  readonly status: 'solved' | 'rank-deficient' | 'not positive definite'
  /** What to try next. */
  readonly advice: string
  /** A lower estimate. */
  readonly condition: number
  readonly rank: number
  readonly logDeterminant: number
  /** (K + ridge·I)⁻¹ b for b (n, columns). */
  solve(b: Float64Array, columns: number): Promise<Float64Array>
  /** The inverse's diagonal blocks, (n / size, size, size). */
  inverseBlocks(size: number, control?: BigInt64Array): Promise<Float64Array>
  /** Residuals of each group of `size` rows without that group, (n, columns). */
  leaveOut(
    y: Float64Array,
    columns: number,
    size: number,
    control?: BigInt64Array,
  ): Promise<Float64Array>
  /** Draws with covariance K + ridge·I, or its inverse, of standard normal z (n, columns). */
  sample(
    z: Float64Array,
    columns: number,
    precision: boolean,
    control?: BigInt64Array,
  ): Promise<Float64Array>
  /** Gives the memory back; whatever is asked later is refused. */
  free(): void
}

/** Eigenvalues, and unless made without them eigenvectors (spectrum.h). */
export interface NativeSpectrum {
  /** Descending. */
  readonly values: Float64Array
  readonly rank: number
  readonly effectiveRank: number
  /** (n, n): row j belongs to values[j]. */
  vectors(): Float64Array
  /** K + ridge·I; all factors share the eigenvectors. */
  factor(ridge: number): NativeFactor
  /** V diag(weights) Vᵀ x for x (n, columns). */
  filter(weights: Float64Array, x: Float64Array, columns: number): Promise<Float64Array>
  /** Vᵀ x, row j belonging to values[j], and V x; x (n, columns). */
  coordinates(x: Float64Array, columns: number): Promise<Float64Array>
  combined(x: Float64Array, columns: number): Promise<Float64Array>
  /** Eigenfunctions at other samples; see spectrum.h. k is (rows, n). */
  functions(k: Float32Array | Float64Array, rows: number, count: number): Promise<Float64Array>
  /** Leaving out groups of rows; see spectrum.h. */
  errors(
    ridges: Float64Array,
    y: Float64Array,
    columns: number,
    group: number,
    control?: BigInt64Array,
  ): Promise<{ gcv: Float64Array; loo: Float64Array }>
  /** Gives the memory back; factors keep it. Whatever is asked later is refused. */
  free(): void
}

/** What conjugate gradients found; `image` is K·value. */
export interface NativeSolution {
  value: Float64Array
  image: Float64Array
  status: 'converged' | 'iteration limit' | 'stalled'
  /** What to try next. */
  advice: string
  residual: number
  iterations: number
  products: number
}

/**
 * Conjugate gradients (iterative.h) on products that the caller makes: the methods resolve to the
 * vectors (n, width) that need theirs, none once all is found. One call at a time.
 */
export interface NativeConjugateGradients {
  /** The largest of all columns. */
  readonly residual: number
  readonly iterations: number
  /** b (n, columns); the preconditioner comes of y = K·omega, both (n, rank). */
  begin(b: Float64Array, omega: Float64Array, y: Float64Array, rank: number): Promise<Float64Array>
  /** From x with its product K·x. */
  start(x: Float64Array, image: Float64Array): Promise<Float64Array>
  take(products: Float64Array): Promise<Float64Array>
  solution(): NativeSolution
}

export interface NativeFitOptions {
  ridge?: number
  tolerance?: number
  stationarity?: number
  depth?: number
  products?: boolean
  /** For products: standard normal numbers (rows, at most sketchRank) of the preconditioner. */
  sketch?: Float64Array | undefined
  /** Of another fit of these features that is not at work, to share what it keeps. */
  builder?: NativeKernelBuilder | undefined
  /** Where the large operations are done. */
  device?: string
  memory?: number
  threads?: number
}

/** Penalties, kernel solves and the adaptive solver: they see factors and matrices only. */
export interface NativeSolve {
  /** ω̃(v) of |z − 1|^p sides and the minimising z (sides, count). */
  penalty(powers: number[], v: Float64Array): { value: Float64Array; z: Float64Array }
  KrylovBasis: new (n: number, threads: number) => NativeKrylovBasis
  SolveFeatures: new (samples: number, outputs: number) => NativeSolveFeatures
  SolveFit: new (
    features: NativeSolveFeatures,
    rules: NativeBlockRule[],
    targets: Float64Array,
    options: NativeFitOptions,
  ) => NativeSolveFit
  /** Throws MEMORY_BUDGET when a fit of so many rows and numbers in B cannot fit whatever its features take. */
  checkFitMemory(rows: number, size: number, options: NativeFitOptions): void
  readonly sketchRank: number
  /** K + ridge·I by Cholesky. */
  factorKernel(
    kernel: Float32Array | Float64Array,
    n: number,
    ridge: number,
    threads: number,
    control?: BigInt64Array,
    device?: string,
    memory?: number,
  ): Promise<NativeFactor>
  /** Without `vectors` of any symmetric matrix, and values only. */
  createSpectrum(
    kernel: Float32Array | Float64Array,
    n: number,
    vectors: boolean,
    device?: string,
    memory?: number,
  ): Promise<NativeSpectrum>
  /** Multinomial regression on a kernel (softmax.h). */
  solveSoftmax(
    kernel: Float32Array | Float64Array,
    offset: Float64Array,
    target: Float64Array,
    options: {
      outputs: number
      ridge: number
      iterations: number
      threads: number
      device: string | undefined
      /** Of an emulated device, in bytes. */
      memory: number
    },
    control?: BigInt64Array,
  ): Promise<{
    alpha: Float64Array
    fit: Float64Array
    loss: number
    objective: number
    decrease: number
    iterations: number
    converged: boolean
  }>
  ConjugateGradients: new (
    n: number,
    columns: number,
    ridge: number,
    options: { tolerance: number; iterations: number; threads: number },
  ) => NativeConjugateGradients
  /** Gradient flow of every coordinate until a time; see flow.h. */
  flow(
    lambda: Float64Array,
    z: Float64Array,
    options: FlowOptions,
    time: number,
    epsilon: number,
    control?: BigInt64Array,
  ): Promise<{ theta: Float64Array; roots: Float64Array; drift: number; risk: number }>
  /** Stein's estimate of the risk at each of the ascending times. */
  flowRisks(
    lambda: Float64Array,
    z: Float64Array,
    options: FlowOptions,
    times: Float64Array,
    epsilon: number,
    control?: BigInt64Array,
  ): Promise<Float64Array>
  /** Coordinates that samples couple; see coordinates.h. */
  coordinateFlow(
    functions: Float32Array | Float64Array,
    y: Float64Array,
    lambda: Float64Array,
    options: FlowOptions & { device?: string | undefined; memory?: number },
    times: Float64Array,
    fold: readonly number[],
    folds: number,
    control?: BigInt64Array,
  ): Promise<{
    theta: Float64Array
    roots: Float64Array
    fit: Float64Array
    errors: Float64Array
    time: number
  }>
}

/** Which eigenvalue model; see flow.h. */
export interface FlowOptions {
  fixed: boolean
  depth: number
  start: number
  threads: number
}

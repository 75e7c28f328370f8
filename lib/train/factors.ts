// The change of the weights as products of factors, as the paper's code trains it: along each mode
// of a weight a square matrix, Δ = Θ ×_1 A_1 ×_2 A_2 (×_3 A_3), all A = I and Θ = 0 at the start.
// A bias is transformed by its weight's output mode, Δ_b = A_out·b. With a weight stored (out, in)
// A_out = M_2ᵀ and A_in = M_1 of METHOD.md section 3: transposition commutes with every optimiser
// here. A convolution's modes are out, in and kernel position.
import { native } from '../native.js'

/** A parameter as its factors see it. */
export interface FactorLayout {
  /** Sizes of the modes; empty: not transformed. */
  modes: number[]
  /** For a bias: index of the parameter whose output mode transforms it, and which mode that is. */
  follows?: { parameter: number; mode: number }
}

interface Piece extends FactorLayout {
  size: number
  /** Index of Θ among the arrays. */
  theta: number
  /** Index of the first A. */
  matrices: number
}

export class Factors {
  /** What is trained: per parameter Θ, then its matrices. */
  readonly arrays: Float32Array[] = []
  readonly names: string[] = []
  readonly #pieces: Piece[] = []
  readonly #threads: number

  constructor(
    parameters: readonly { name: string; count: number; layout: FactorLayout }[],
    threads: number,
  ) {
    this.#threads = threads
    for (const { name, count, layout } of parameters) {
      const theta = this.arrays.length
      this.arrays.push(new Float32Array(count))
      this.names.push(`${name}:theta`)
      layout.modes.forEach((size, mode) => {
        const identity = new Float32Array(size * size)
        for (let i = 0; i < size; i += 1) identity[i * size + i] = 1
        this.arrays.push(identity)
        this.names.push(`${name}:mode${mode}`)
      })
      this.#pieces.push({ ...layout, size: count, theta, matrices: theta + 1 })
    }
  }

  /** Δ of every parameter. */
  changes(): Float32Array[] {
    return this.#pieces.map((piece) => {
      const theta = this.#array(piece.theta)
      if (piece.follows) {
        const { size, matrix } = this.#followed(piece.follows)
        const out = new Float32Array(size)
        this.#gemm(false, false, size, 1, size, matrix, theta, out)
        return out
      }
      return this.#through(piece, theta, { except: -1, transposed: false })
    })
  }

  /** Gradients of the arrays from those of Δ. */
  gradients(changes: readonly Float32Array[]): Float32Array[] {
    const result = this.arrays.map(({ length }) => new Float32Array(length))
    this.#pieces.forEach((piece, p) => {
      const g = changes[p] as Float32Array
      const theta = this.#array(piece.theta)
      if (piece.follows) {
        const { size, matrix, index } = this.#followed(piece.follows)
        this.#gemm(true, false, size, 1, size, matrix, g, result[piece.theta] as Float32Array)
        const to = result[index] as Float32Array
        for (let i = 0; i < size; i += 1) {
          for (let j = 0; j < size; j += 1) {
            const e = i * size + j
            to[e] = (to[e] as number) + (g[i] as number) * (theta[j] as number)
          }
        }
        return
      }
      ;(result[piece.theta] as Float32Array).set(
        this.#through(piece, g, { except: -1, transposed: true }),
      )
      piece.modes.forEach((size, mode) => {
        const others = this.#through(piece, theta, { except: mode, transposed: false })
        const left = unfolded(g, piece.modes, mode)
        const right = unfolded(others, piece.modes, mode)
        const rest = piece.size / size
        const own = result[piece.matrices + mode] as Float32Array
        // A bias may have added to it already.
        this.#gemm(false, true, size, size, rest, left, right, own, 1)
      })
    })
    return result
  }

  /** x with the matrices of all modes but one applied. */
  #through(
    piece: Piece,
    x: Float32Array,
    { except, transposed }: { except: number; transposed: boolean },
  ): Float32Array {
    let value: Float32Array = x
    piece.modes.forEach((size, mode) => {
      if (mode === except) return
      const matrix = this.#array(piece.matrices + mode)
      const rest = piece.size / size
      const out = new Float32Array(piece.size)
      this.#gemm(
        transposed,
        false,
        size,
        rest,
        size,
        matrix,
        unfolded(value, piece.modes, mode),
        out,
      )
      value = folded(out, piece.modes, mode)
    })
    return value
  }

  #followed({ parameter, mode }: { parameter: number; mode: number }) {
    const piece = this.#pieces[parameter] as Piece
    const index = piece.matrices + mode
    return { size: piece.modes[mode] as number, matrix: this.#array(index), index }
  }

  #array(index: number): Float32Array {
    return this.arrays[index] as Float32Array
  }

  #gemm(
    transA: boolean,
    transB: boolean,
    m: number,
    n: number,
    k: number,
    a: Float32Array,
    b: Float32Array,
    c: Float32Array,
    beta = 0,
  ): void {
    native.gemm(transA, transB, m, n, k, a, b, beta, c, this.#threads)
  }
}

/** Mode `mode` first, the others behind it in order: (size, rest). */
function unfolded(x: Float32Array, modes: readonly number[], mode: number): Float32Array {
  return mode === 0 ? x : moved(x, modes, mode, false)
}

/** The inverse. */
function folded(x: Float32Array, modes: readonly number[], mode: number): Float32Array {
  return mode === 0 ? x : moved(x, modes, mode, true)
}

function moved(
  x: Float32Array,
  modes: readonly number[],
  mode: number,
  back: boolean,
): Float32Array {
  const size = modes[mode] as number
  const before = modes.slice(0, mode).reduce((product, each) => product * each, 1)
  const after = modes.slice(mode + 1).reduce((product, each) => product * each, 1)
  const out = new Float32Array(x.length)
  for (let b = 0; b < before; b += 1) {
    for (let i = 0; i < size; i += 1) {
      const folded = (b * size + i) * after
      const unfolded = (i * before + b) * after
      const [from, to] = back ? [unfolded, folded] : [folded, unfolded]
      for (let a = 0; a < after; a += 1) out[to + a] = x[from + a] as number
    }
  }
  return out
}

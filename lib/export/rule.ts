// What a tangent rule is: how the tangents of a node's outputs follow from those of its inputs.

import type { NativeAttribute } from '../native/index.js'
import type { Dimension } from '../onnx/index.js'
import type { Attribute } from '../onnx/writer.js'
import type { NodeProto } from '../protobuf/index.js'
import type { Maths } from './maths.js'

/** A stored matrix's change as a product of two thin ones, names of values: left (m, r), right (r, k). */
export interface Thin {
  left: string
  right: string
}

/** What a rule sees of a node. Its values are known by name; tangents have their values' shapes. */
export interface TangentCall {
  readonly node: NodeProto
  readonly opset: number
  /** How many inputs are listed. */
  readonly count: number
  /** Name of an input's value; '' where it is not given. */
  input(k: number): string
  has(k: number): boolean
  /** Name of an output's value, made if the network does not use it. */
  output(j?: number): string
  /** Gives the node itself another attribute, which must not change the values that are used. */
  set(name: string, value: Attribute): void
  /** Name of the tangent of an input's value; undefined where it does not change. */
  tangent(k: number): string | undefined
  /** The tangent of a stored matrix in factors, where it is known so. */
  thin(k: number): Thin | undefined
  /** Sizes of a value, as far as they are known; undefined where its rank is not. */
  shape(name: string): readonly Dimension[] | undefined
  /** Numbers of a stored value, where they lie in the file. */
  stored(k: number): readonly number[] | undefined
  /** Does an input surely hold no 0: stored so, or an exponential, or the root of a sum with ε? */
  isNeverZero(k: number): boolean
  /** A Clip whose results beyond its bounds are next to them: see clip.ts. */
  readonly widened: boolean
  /** Is an input surely not below 0: the result of a Relu? */
  isNeverNegative(k: number): boolean
  attribute(name: string): NativeAttribute | undefined
  integer(name: string, otherwise: number): number
  number(name: string, otherwise: number): number
  text(name: string, otherwise: string): string
  integers(name: string): number[]
  readonly maths: Maths
  /** The tangent of an input as the output's shape wants it, where it is broadcast. */
  spread(tangent: string, k: number): string
}

/** Names of the tangents of the node's outputs; undefined where an output does not change. */
export type Tangents = (string | undefined)[]

export interface TangentRule {
  tangent(call: TangentCall): Tangents
  /** Why the node's tangent cannot be written in standard operators; undefined where it can. */
  refuse?(call: TangentCall): string | undefined
}

export type Rules = Readonly<Record<string, TangentRule>>

/** The rank of a node's first input, for rules that refuse where it is not known. */
export function rankOf(call: TangentCall, k = 0): number {
  const shape = call.shape(call.input(k))
  if (!shape) throw new Error(`The rank of ${call.input(k)} was not checked`)
  return shape.length
}

export function needsRank(call: TangentCall): string | undefined {
  return call.shape(call.input(0)) ? undefined : 'the rank of its input is not known'
}

/** Counts from the end like negative axes. */
export function fromEnd(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis
}

/** A rule of one input whose tangent is one value. */
export function single(write: (call: TangentCall, tangent: string) => string): TangentRule {
  return {
    tangent(call) {
      const tangent = call.tangent(0)
      return [tangent === undefined ? undefined : write(call, tangent)]
    },
  }
}

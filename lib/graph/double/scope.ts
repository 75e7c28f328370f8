// What a lowering sees of its node, and the pieces that several share.

import type { Writer } from '../../onnx/writer.js'
import type { NodeProto } from '../../protobuf/index.js'

/** A node to be written out in operators that onnxruntime computes in float64. */
export interface Lowering {
  node: NodeProto
  write: Writer
  /** '' where an optional one is absent. */
  input(k: number): string
  output: string
  integer(name: string, otherwise: number): number
  integers(name: string): number[]
  float(name: string, otherwise: number): number
  text(name: string, otherwise: string): string
  /** Sizes of a value where the file tells them all, or its rank with null for unknown sizes. */
  shapeOf(name: string): readonly (number | null)[] | undefined
  /** Numbers of a stored whole-number or float constant. */
  numbersOf(name: string): readonly number[] | undefined
}

/** Writes the node out; a text says why it cannot. */
export type Lower = (call: Lowering) => string | undefined

/** x op number, in float64. */
export function withNumber(call: Lowering, op: string, x: string, value: number): string {
  return call.write.one(op, [x, call.write.double(value)])
}

/** The size of one axis, as a list of one whole number. */
export function sizeOf(write: Writer, x: string, axis: number): string {
  return write.one('Gather', [write.one('Shape', [x]), write.ints(axis)], { axis: { i: 0 } })
}

/** 0, 1, … size − 1 for a list of one. */
export function range(write: Writer, size: string): string {
  return write.one('Range', [write.int(0), write.one('Squeeze', [size]), write.int(1)])
}

// ONNX's messages field by field: what a thread that runs networks reads and writes of them. The rest of
// a message passes as it is.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { anyTensorType } from '../io/element-types.js'

/** Numbers of the fields of onnx.proto that are named here. */
export const fields = {
  model: { irVersion: 1, graph: 7, opsetImport: 8 },
  opset: { domain: 1, version: 2 },
  graph: { node: 1, name: 2, initializer: 5, input: 11, output: 12, valueInfo: 13 },
  node: { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 },
  attribute: { name: 1, int: 3, graph: 6, ints: 8, graphs: 11, type: 20 },
  tensor: { dims: 1, dataType: 2, name: 8, rawData: 9 },
  value: { name: 1, type: 2 },
  type: { tensor: 1 },
  tensorType: { elemType: 1, shape: 2 },
  shape: { dim: 1 },
  dim: { size: 1, name: 2 },
} as const

/** One entry of a message. */
export interface Field {
  number: number
  /** With its tag: what a copy of the message takes over. */
  whole: Uint8Array
  /** Of bytes, texts, messages and packed numbers what they hold; of numbers the varint. */
  content: Uint8Array
}

/** All entries of a message, in its order. Memory is shared. */
export function fieldsOf(message: Uint8Array): Field[] {
  const found: Field[] = []
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [number, type] = reader.tag()
    const from = reader.pos
    const content = type === WireType.LengthDelimited ? reader.bytes() : reader.skip(type, number)
    if (reader.pos <= from) throw new RangeError('A field of a message has no end')
    found.push({ number, whole: message.subarray(start, reader.pos), content })
  }
  return found
}

/** What a message holds in one of its fields of bytes, texts or messages. */
export function parts(message: Uint8Array, field: number): Uint8Array[] {
  return fieldsOf(message)
    .filter(({ number }) => number === field)
    .map(({ content }) => content)
}

const decoder = new TextDecoder()
export const textOf = (bytes: Uint8Array) => decoder.decode(bytes)

/** A text in one of a message's fields; '' where it is absent. */
export function textIn(message: Uint8Array, field: number): string {
  return textsIn(message, field).at(-1) ?? ''
}

/** Whole numbers in one of a message's fields, packed or not. */
export function numbersIn(message: Uint8Array, field: number): number[] {
  return parts(message, field).flatMap((content) => {
    const reader = new BinaryReader(content)
    const numbers: number[] = []
    while (reader.pos < reader.len) numbers.push(Number(reader.int64()))
    return numbers
  })
}

/** A message of fields by number, in this order: texts, whole numbers, bytes of messages. */
export function message(
  ...entries: readonly (readonly [number: number, value: string | number | Uint8Array])[]
): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter()
  for (const [number, value] of entries) {
    if (typeof value === 'number') writer.tag(number, WireType.Varint).int64(value)
    else {
      writer.tag(number, WireType.LengthDelimited)
      if (typeof value === 'string') writer.string(value)
      else writer.bytes(value)
    }
  }
  return writer.finish()
}

/** Messages one after another: protobuf merges them into one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** A field that holds these pieces one after another, themselves: none is copied. */
export function field(number: number, pieces: readonly Uint8Array[]): Uint8Array[] {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const head = new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(length).finish()
  return [head, ...pieces]
}

/** The model with another graph, which is given in pieces. */
export function withGraph(
  model: Uint8Array,
  graph: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const rest = fieldsOf(model).filter(({ number }) => number !== fields.model.graph)
  return joined([...rest.map(({ whole }) => whole), ...field(fields.model.graph, graph)])
}

/** The main graph of a model. */
export function graphOf(model: Uint8Array): Uint8Array {
  const [graph = new Uint8Array(), ...more] = parts(model, fields.model.graph)
  return more.length === 0 ? graph : joined([graph, ...more])
}

/** A node of ai.onnx without attributes. */
export function node(op: string, input: string, output: string, name = ''): Uint8Array {
  const of = fields.node
  return message([of.input, input], [of.output, output], [of.name, name], [of.opType, op])
}

/** The declaration of a tensor of known sizes. */
export function declared(name: string, dataType: number, sizes: readonly number[]): Uint8Array {
  const dims = sizes.map((size) => [fields.shape.dim, message([fields.dim.size, size])] as const)
  const tensor = message(
    [fields.tensorType.elemType, dataType],
    [fields.tensorType.shape, message(...dims)],
  )
  return message(
    [fields.value.name, name],
    [fields.value.type, message([fields.type.tensor, tensor])],
  )
}

/** What a graph declares of a value. */
export interface DeclaredValue {
  name: string
  /** 'float32', …; other types as ONNX writes them, in small letters. */
  type: string
  /** Sizes that are not known are names, or ''; without dimensions where the rank is not known. */
  shape: (number | string)[]
}

/** Entries of a message one after another, where they stand: of many small ones no views are made. */
class Entries {
  readonly bytes: Uint8Array
  #at: number
  readonly #end: number
  number = 0
  /** Of bytes, texts and messages: where they begin and end. */
  from = 0
  to = 0
  /** Of a whole number; all below 0 are -1. */
  value = 0

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.bytes = bytes
    this.#at = from
    this.#end = to
  }

  next(): boolean {
    if (this.#at >= this.#end) return false
    const tag = this.#varint()
    const type = tag % 8
    this.number = Math.floor(tag / 8)
    if (type === WireType.Varint) {
      const value = this.#varint()
      this.value = value >= 2 ** 63 ? -1 : value
      return true
    }
    const length = { [WireType.Bit64]: 8, [WireType.Bit32]: 4 }[type]
    if (length === undefined && type !== WireType.LengthDelimited) throw endless()
    const size = length ?? this.#varint()
    this.from = this.#at
    this.to = this.from + size
    if (this.to > this.#end) throw endless()
    this.#at = this.to
    return true
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; this.#at < this.#end; scale *= 128) {
      const byte = this.bytes[this.#at++] as number
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw endless()
  }

  /** The entries of the message that this one is. */
  get inside(): Entries {
    return new Entries(this.bytes, this.from, this.to)
  }

  get content(): Uint8Array {
    return this.bytes.subarray(this.from, this.to)
  }

  get text(): string {
    return textOf(this.content)
  }
}

const endless = () => new RangeError('A field of a message has no end')

/** All texts in one of a message's fields. */
export function textsIn(message: Uint8Array, field: number): string[] {
  return textBytesIn(message, field).map(textOf)
}

/** The same as their bytes: of nothing else in the message a view is made, as `parts` does. */
export function textBytesIn(message: Uint8Array, field: number): Uint8Array[] {
  const texts: Uint8Array[] = []
  const entries = new Entries(message)
  while (entries.next()) if (entries.number === field) texts.push(entries.content)
  return texts
}

/** Is a text among them? */
export function holdsText(message: Uint8Array, field: number, text: Uint8Array): boolean {
  const entries = new Entries(message)
  while (entries.next()) {
    if (entries.number !== field || entries.to - entries.from !== text.length) continue
    if (Buffer.compare(entries.content, text) === 0) return true
  }
  return false
}

/** Reads a declaration; undefined for what is no tensor of a known type. */
export function declaredValue(value: Uint8Array): DeclaredValue | undefined {
  const read = { name: '', dataType: 0, shape: [] as DeclaredValue['shape'] }
  const entries = new Entries(value)
  while (entries.next()) {
    if (entries.number === fields.value.name) read.name = entries.text
    else if (entries.number === fields.value.type) readType(entries.inside, read)
  }
  const { name, dataType, shape } = read
  if (dataType === 0) return undefined
  return { name, type: anyTensorType(dataType), shape }
}

function readType(type: Entries, into: { dataType: number; shape: DeclaredValue['shape'] }): void {
  while (type.next()) {
    if (type.number !== fields.type.tensor) continue
    for (const tensor = type.inside; tensor.next(); ) {
      if (tensor.number === fields.tensorType.elemType) into.dataType = tensor.value
      if (tensor.number === fields.tensorType.shape) readShape(tensor.inside, into.shape)
    }
  }
}

function readShape(shape: Entries, into: DeclaredValue['shape']): void {
  while (shape.next()) {
    if (shape.number !== fields.shape.dim) continue
    let size: number | string = ''
    for (const dim = shape.inside; dim.next(); ) {
      // Below 0 it is free.
      if (dim.number === fields.dim.size) size = dim.value < 0 ? '' : dim.value
      else if (dim.number === fields.dim.name) size = dim.text
    }
    into.push(size)
  }
}

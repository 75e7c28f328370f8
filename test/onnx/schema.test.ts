// What the code generated from lib/protobuf/onnx.proto knows: everything that the onnx package does.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import test from 'ava'
import { file_onnx, ModelProtoSchema } from '../../lib/protobuf/index.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))

function typeName(field: DescField): string {
  if (field.message) return field.message.typeName
  if (field.enum) return field.enum.typeName
  return ScalarType[field.scalar as ScalarType].toLowerCase()
}

/** As test/data/make_messages.py words it. */
function words(field: DescField): string {
  return [
    `${field.number}`,
    field.fieldKind === 'list' ? 'repeated' : 'optional',
    field.fieldKind === 'list' && field.listKind === 'enum' ? field.enum.typeName : typeName(field),
    ...(field.fieldKind === 'list' && field.packed ? ['packed'] : []),
    ...(field.oneof ? [`one of ${field.oneof.name}`] : []),
  ].join(' ')
}

function known() {
  const messages: Record<string, Record<string, string>> = {}
  const enums: Record<string, Record<string, number>> = {}
  const addEnum = ({ typeName: name, values }: DescEnum) => {
    enums[name] = Object.fromEntries(values.map((value) => [value.name, value.number]))
  }
  const add = (message: DescMessage) => {
    messages[message.typeName] = Object.fromEntries(
      message.fields.map((field) => [field.name, words(field)]),
    )
    message.nestedEnums.forEach(addEnum)
    message.nestedMessages.forEach(add)
  }
  file_onnx.messages.forEach(add)
  file_onnx.enums.forEach(addEnum)
  return { messages, enums }
}

test('the messages, fields and enums of onnx 1.23', (t) => {
  const { onnx, ...described } = JSON.parse(readFileSync(`${root}test/data/messages.json`, 'utf8'))
  t.is(onnx, '1.23.2')
  t.deepEqual(known(), described)
})

/** Paths of the fields that a message holds and the schema does not know. */
function unknownFields(message: ReflectMessage, path = 'model'): string[] {
  const found = (message.getUnknown() ?? []).map(({ no }) => `${path}: field ${no}`)
  for (const field of message.fields) {
    if (!field.message || !message.isSet(field)) continue
    const value = message.get(field)
    const inner = field.fieldKind === 'list' ? [...(value as Iterable<unknown>)] : [value]
    for (const each of inner) {
      found.push(...unknownFields(each as ReflectMessage, `${path}.${field.name}`))
    }
  }
  return found
}

const models = ['test', 'bench', 'examples'].flatMap((folder) =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.onnx') && !name.includes('environment'))
    .map((name) => `${folder}/${name}`),
)

test('every network of this repository is written again to the same bytes', (t) => {
  t.true(models.filter((name) => name.includes('/zoo/')).length >= 10)
  for (const name of models) {
    const bytes = readFileSync(root + name)
    const model = fromBinary(ModelProtoSchema, bytes)
    t.deepEqual(unknownFields(reflect(ModelProtoSchema, model)), [], name)
    t.true(bytes.equals(toBinary(ModelProtoSchema, model)), name)
  }
})

test('weights are views into the file', (t) => {
  const bytes = new Uint8Array(readFileSync(`${root}test/fixtures/cnn/model.onnx`))
  const stored = fromBinary(ModelProtoSchema, bytes).graph?.initializer ?? []
  t.true(stored.length > 0)
  for (const { name, rawData } of stored) {
    t.true(rawData !== undefined && rawData.length > 0, name)
    t.is(rawData?.buffer, bytes.buffer, name)
  }
})

// Columns of numbers of a Parquet file, read by row groups; the last one stays decoded.
import type { SchemaTree } from 'hyparquet'
import { TangentError } from '../../core/errors.js'
import { type DType, type NdArray, zeros } from '../ndarray.js'
import { type ArraySource, checkRows } from '../source.js'
import { type OpenFile, opened } from './stored.js'

interface Column {
  name: string
  type: DType
  /** Numbers in each row, of a list; null: one number. */
  width: number | null
}

const physical: Partial<Record<string, DType>> = {
  BOOLEAN: 'bool',
  INT32: 'int32',
  INT64: 'int64',
  FLOAT: 'float32',
  DOUBLE: 'float64',
}
const widths: Partial<Record<string, DType>> = {
  INT_8: 'int8',
  INT_16: 'int16',
  INT_32: 'int32',
  INT_64: 'int64',
  UINT_8: 'uint8',
  UINT_16: 'uint16',
  UINT_32: 'uint32',
  UINT_64: 'uint64',
}

/** The type of a column's numbers; undefined for what holds none. */
function typeOf({ element }: SchemaTree): DType | undefined {
  const { type, converted_type: converted, logical_type: logical } = element
  if (logical?.type === 'FLOAT16') return 'float32'
  if (converted !== undefined) return widths[converted]
  if (logical !== undefined && logical.type !== 'INTEGER') return undefined
  return physical[type ?? '']
}

/** Numbers, or lists of numbers. */
function leafOf(tree: SchemaTree): { leaf: SchemaTree; list: boolean } {
  if (tree.element.converted_type !== 'LIST') return { leaf: tree, list: false }
  let leaf = tree
  while (leaf.children.length === 1) leaf = leaf.children[0] as SchemaTree
  return { leaf, list: true }
}

/** The one type that holds all columns' numbers. */
function common(types: readonly DType[]): DType {
  const [first = 'float64'] = types
  if (types.every((type) => type === first)) return first
  const whole = types.every((type) => /^u?int(8|16|32|64)$/.test(type))
  return whole && !types.includes('uint64') ? 'int64' : 'float64'
}

/** @param member columns, `a,b`; default: all that hold numbers. */
export function openParquet(path: string, member?: string): Promise<ArraySource> {
  return opened(path, async (file) => {
    const parquet = await import('hyparquet')
    const { compressors } = await import('hyparquet-compressors')
    const buffer = {
      byteLength: file.size,
      slice: async (start: number, end = file.size) =>
        (await file.read(start, end - start)).buffer as ArrayBuffer,
    }
    const damaged = (cause: unknown) =>
      cause instanceof TangentError
        ? cause
        : new TangentError('BAD_FILE', `${path} is not a valid Parquet file.`, { cause })
    const metadata = await parquet.parquetMetadataAsync(buffer).catch((cause: unknown) => {
      throw damaged(cause)
    })
    const read = async (columns: string[], rowStart: number, rowEnd: number) => {
      try {
        const how = { file: buffer, metadata, columns, rowStart, rowEnd, compressors, utf8: false }
        return await parquet.parquetReadObjects(how)
      } catch (cause) {
        throw damaged(cause)
      }
    }
    const found = parquet.parquetSchema(metadata).children
    const names = member?.split(',') ?? found.filter(isNumeric).map(({ element }) => element.name)
    const length = Number(metadata.num_rows)
    if (names.length === 0 || length === 0) {
      throw new TangentError(
        'BAD_FILE',
        `${path} holds no ${length === 0 ? 'row' : 'column'} of numbers.`,
      )
    }
    const first = (
      await read(
        names.filter((name) => found.some((one) => one.element.name === name)),
        0,
        1,
      )
    )[0]
    const columns = names.map((name) => columnOf(path, found, name, first?.[name]))
    const groups: { start: number; end: number }[] = []
    for (const { num_rows: rows } of metadata.row_groups) {
      const start = groups.at(-1)?.end ?? 0
      groups.push({ start, end: start + Number(rows) })
    }
    return parquetSource(file, { path, length, columns, groups, read })
  })
}

const isNumeric = (tree: SchemaTree) => typeOf(leafOf(tree).leaf) !== undefined

function columnOf(
  path: string,
  found: readonly SchemaTree[],
  name: string,
  first: unknown,
): Column {
  const tree = found.find(({ element }) => element.name === name)
  const known = found.filter(isNumeric).map(({ element }) => element.name)
  if (!tree) {
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected columns of ${path} (${known.join(', ')}) but received ${JSON.stringify(name)}`,
    )
  }
  const { leaf, list } = leafOf(tree)
  const type = typeOf(leaf)
  if (!type) {
    throw new TangentError(
      'BAD_FILE',
      `Expected numbers in column ${JSON.stringify(name)} of ${path} but it holds others; those of numbers are ${known.join(', ')}`,
    )
  }
  return { name, type, width: list ? (Array.isArray(first) ? first.length : 0) : null }
}

interface Table {
  path: string
  length: number
  columns: readonly Column[]
  groups: readonly { start: number; end: number }[]
  read(columns: string[], start: number, end: number): Promise<Record<string, unknown>[]>
}

function parquetSource(file: OpenFile, table: Table): ArraySource {
  const { path, length, columns, groups } = table
  const dtype = common(columns.map(({ type }) => type))
  const size = columns.reduce((sum, { width }) => sum + (width ?? 1), 0)
  const single = columns.length === 1 && columns[0]?.width === null
  const rest = single ? [] : [size]
  const names = columns.map(({ name }) => name)
  let decoded: { group: object; data: Promise<NdArray['data']> } | undefined
  const decode = async ({ start, end }: { start: number; end: number }) => {
    const data = zeros(dtype, (end - start) * size)
    const rows = await table.read(names, start, end)
    let at = 0
    for (const [r, row] of rows.entries()) {
      for (const { name, width } of columns) {
        const values = width === null ? [row[name]] : (row[name] as unknown[])
        if (!Array.isArray(values) && !ArrayBuffer.isView(values)) throw hole(path, name, start + r)
        if (values.length !== (width ?? 1)) {
          throw new TangentError(
            'BAD_FILE',
            `Expected lists of ${width} numbers in column ${JSON.stringify(name)} of ${path} but row ${start + r} holds ${values.length}`,
          )
        }
        for (const value of values) {
          if (value === null || value === undefined) throw hole(path, name, start + r)
          data[at] = converted(value as number | bigint | boolean, data) as never
          at += 1
        }
      }
    }
    if (at !== data.length) {
      throw new TangentError('BAD_FILE', `${path} is not a valid Parquet file: rows are missing.`)
    }
    return data
  }
  const source: ArraySource = {
    length,
    shape: [length, ...rest],
    dtype,
    rows: async (first, count) => {
      checkRows(source, first, count)
      const data = zeros(dtype, count * size)
      for (const group of groups) {
        const [from, to] = [Math.max(first, group.start), Math.min(first + count, group.end)]
        if (from >= to) continue
        if (decoded?.group !== group) decoded = { group, data: decode(group) }
        const all = await decoded.data
        const part = all.subarray((from - group.start) * size, (to - group.start) * size)
        data.set(part as never, (from - first) * size)
      }
      const array: NdArray = { data, shape: [count, ...rest] }
      return dtype === 'bool' ? { ...array, boolean: true } : array
    },
    close: () => file.close(),
  }
  return source
}

function converted(value: number | bigint | boolean, data: NdArray['data']): number | bigint {
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array
  return big ? BigInt(value) : Number(value)
}

const hole = (path: string, name: string, row: number) =>
  new TangentError(
    'BAD_FILE',
    `Expected a number in row ${row}, column ${JSON.stringify(name)} of ${path} but it is null`,
  )

// Numbers from a CSV file: the first pass finds rows, columns and kind, later ones read rows in order.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { TangentError } from '../../core/errors.js'
import type { NdArray } from '../ndarray.js'
import { reason } from '../reasons.js'
import { type ArraySource, checkRows } from '../source.js'

/** Text has no type: what its numbers are to be; by default integers where all are written so. */
export type CsvNumbers = 'integer' | 'float' | undefined

interface Table {
  /** Records before the first row: 1 with a header. */
  before: number
  rows: number
  columns: number[]
  integers: boolean
}

const real = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i
const whole = /^[-+]?\d+$/
const words = new Map<string, number>([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
])

function numberOf(text: string): number | undefined {
  if (real.test(text)) return Number(text)
  const sign = text.startsWith('-') ? -1 : 1
  const value = words.get(text.replace(/^[-+]/, '').toLowerCase())
  return value === undefined ? undefined : sign * value
}

/** The records of a text, each a list of fields. */
async function* records(open: () => Readable, name: string): AsyncGenerator<string[]> {
  const { parse } = await import('csv-parse')
  const stream = open()
  const parser = parse({ bom: true, trim: true, skip_empty_lines: true })
  stream.on('error', (error) => parser.destroy(error))
  stream.pipe(parser)
  try {
    for await (const record of parser) yield record as string[]
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const why = code.startsWith('CSV_') ? message : reason(error)
    throw new TangentError('BAD_FILE', `${name} is not a valid CSV file: ${why}.`, { cause: error })
  } finally {
    stream.destroy()
  }
}

/**
 * The texts of one column: of the only one from the first record on, or of the one named behind `#`, in
 * a file with a header. Null where all of them are numbers, or there are several columns.
 */
export async function csvTexts(path: string, member?: string): Promise<string[] | null> {
  const texts: string[] = []
  let column: number | undefined = member === undefined ? 0 : undefined
  for await (const record of records(() => createReadStream(path), path)) {
    if (member === undefined && record.length > 1) return null
    if (column === undefined) [column] = columnsOf(record, true, member, path)
    else texts.push(record[column] ?? '')
  }
  return texts.every((text) => numberOf(text) !== undefined) ? null : texts
}

/** Which columns are meant: all, or those named behind `#`. */
function columnsOf(
  first: readonly string[],
  header: boolean,
  member: string | undefined,
  name: string,
) {
  if (member === undefined) return first.map((_, k) => k)
  return member.split(',').map((wanted) => {
    const at = header ? first.indexOf(wanted) : whole.test(wanted) ? Number(wanted) : -1
    if (at >= 0 && at < first.length) return at
    const known = header ? first.join(', ') : `0 to ${first.length - 1}, as there is no header`
    throw new TangentError(
      'BAD_ARGUMENT',
      `Expected columns of ${name} (${known}) but received ${JSON.stringify(wanted)}`,
    )
  })
}

async function survey(all: AsyncGenerator<string[]>, name: string, member: string | undefined) {
  const table: Table = { before: 0, rows: 0, columns: [], integers: true }
  let line = 0
  for await (const record of all) {
    line += 1
    if (line === 1) {
      const header = record.some((text) => numberOf(text) === undefined)
      table.before = header ? 1 : 0
      table.columns = columnsOf(record, header, member, name)
      if (header) continue
    }
    table.rows += 1
    for (const column of table.columns) {
      const text = record[column] as string
      if (numberOf(text) === undefined) {
        throw new TangentError(
          'BAD_FILE',
          `Expected a number in record ${line}, column ${column + 1} of ${name} but received ${JSON.stringify(text.slice(0, 40))}`,
        )
      }
      table.integers &&= whole.test(text)
    }
  }
  if (table.rows > 0) return table
  throw new TangentError('BAD_FILE', `${name} holds no row of numbers.`)
}

/**
 * One column is (N,), several are (N, columns).
 * @param open the text from its beginning, as often as it is asked for
 */
async function csvSource(
  open: () => Readable,
  name: string,
  { member, numbers }: { member?: string | undefined; numbers?: CsvNumbers },
): Promise<ArraySource> {
  const { before, rows, columns, integers } = await survey(records(open, name), name, member)
  if (numbers === 'integer' && !integers) {
    throw new TangentError('BAD_FILE', `Expected whole numbers in ${name} but there are others`)
  }
  const integral = numbers === undefined ? integers : numbers === 'integer'
  const rest = columns.length === 1 ? [] : [columns.length]
  let reader: AsyncGenerator<string[]> | undefined
  let at = 0
  const next = async () => {
    const { done, value } = (await reader?.next()) ?? { done: true, value: undefined }
    if (done) throw new TangentError('BAD_FILE', `${name} changed while it was read.`)
    at += 1
    return value as string[]
  }
  async function read(first: number, count: number): Promise<NdArray> {
    if (!reader || at > first + before) {
      await reader?.return(undefined)
      reader = records(open, name)
      at = 0
    }
    while (at < first + before) await next()
    const size = count * columns.length
    const data = integral ? new BigInt64Array(size) : new Float64Array(size)
    for (let e = 0; e < size; ) {
      const record = await next()
      for (const column of columns) {
        const text = record[column] as string
        data[e] = (integral ? BigInt(text.replace('+', '')) : numberOf(text)) as never
        e += 1
      }
    }
    return { data, shape: [count, ...rest] }
  }
  let last: Promise<unknown> = Promise.resolve()
  const source: ArraySource = {
    length: rows,
    shape: [rows, ...rest],
    dtype: integral ? 'int64' : 'float64',
    inOrder: true,
    rows(first, count) {
      checkRows(source, first, count)
      const result = last.then(() => read(first, count))
      last = result.catch(() => {})
      return result
    },
    close: async () => {
      await reader?.return(undefined)
    },
  }
  return source
}

/** A CSV file; `#a,b` behind its name chooses columns. */
export async function openCsv(path: string, member?: string, numbers?: CsvNumbers) {
  const found = await stat(path).catch((error) => {
    throw new TangentError('BAD_FILE', `Cannot read ${path}: ${reason(error)}.`, { cause: error })
  })
  if (!found.isFile()) throw new TangentError('BAD_FILE', `${path} is not a file.`)
  return csvSource(() => createReadStream(path), path, { member, numbers })
}

/** The same of a text in memory. */
export function csvOf(text: Uint8Array, name: string, numbers?: CsvNumbers): Promise<ArraySource> {
  return csvSource(() => Readable.from([text], { objectMode: false }), name, { numbers })
}

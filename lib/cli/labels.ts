// `--target`: numbers of any kind that is read, or names of classes.
import { readFile } from 'node:fs/promises'
import { TangentError } from '../core/errors.js'
import type { NdArray } from '../io/index.js'
import { reason } from '../io/reasons.js'
import { csvTexts } from '../io/sources/csv.js'
import { type Reading, readGiven } from './input.js'

/** A file of names has one on each line (.txt), or in one column (.csv, FILE.csv#COLUMN with a header). */
export async function readLabels(path: string, reading: Reading): Promise<NdArray | string[]> {
  if (/\.txt$/i.test(path)) {
    const text = await readFile(path, 'utf8').catch((cause) => {
      throw new TangentError('BAD_FILE', `Cannot read ${path}: ${reason(cause)}`, { cause })
    })
    return text.replace(/\r?\n$/, '').split(/\r?\n/)
  }
  const [, file, member] = /^(.*\.csv)(?:#([^#,]*))?$/i.exec(path) ?? []
  const texts = file === undefined ? null : await csvTexts(file, member)
  return texts ?? readGiven(path, reading)
}

// What the names of dimensions say, and what the caller says of them.
import type { Dimension } from './values.js'

/** What a file does not say by itself about its inputs and outputs. */
export interface AxisOptions {
  /**
   * By name of an input or output the axis that holds the samples, or null where the file takes one
   * sample and has no axis for it (default: found by names, sizes and trying).
   */
  batchAxis?: Readonly<Record<string, number | null>> | undefined
  /** Inputs that are the same for all samples, such as a sampling rate (default: found the same way). */
  shared?: readonly string[] | undefined
}

const batchWord = /^(n|b|bs|bsz)$|batch/i
const placeholder =
  /^([?*.\s-]*|none|null|nan|unk(nown)?|any|dynamic|(unk|unknown|dim|dyn|dynamic)(_?dim(ension)?|_?axis)?[._]*\d+|p2o\..*|-?\d+)$/i

/** Does the dimension's name mean something, so that equal names are equal sizes? */
export function isRealName(name: Dimension | undefined): name is string {
  return typeof name === 'string' && !placeholder.test(name.trim())
}

/** Is it a word for the batch? */
export function isBatchWord(name: Dimension | undefined): boolean {
  return isRealName(name) && batchWord.test(name)
}

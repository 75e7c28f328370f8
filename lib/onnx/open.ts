import { dirname } from 'node:path'
import { badArgument } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { readBytes } from '../io/files.js'
import { decodeModel, type OnnxModel } from './decode.js'
import type { AxisOptions } from './dimensions.js'
import { settleExternal } from './external.js'
import { freeBatch } from './free-batch.js'
import { inlineFunctions } from './inline.js'
import { missingParameters } from './roles.js'
import { widenFloats } from './widen.js'

/**
 * Opens a model by path or from bytes and checks it, external weight files included. Its local
 * functions are written out and narrower or wider floats become float32 (`notes` tells).
 * @param source a path, or the bytes of a model (kept, not copied: they must not change).
 * @param options.folder where external weight files lie; by default the model's own folder.
 * @param options.axes what is known of a fixed batch that is to be made free.
 * @throws TangentError BAD_FILE with one sentence.
 */
export async function openModel(
  source: string | Uint8Array,
  options: { folder?: string; axes?: AxisOptions } = {},
): Promise<OnnxModel> {
  let model: OnnxModel
  if (typeof source === 'string') {
    const folder = options.folder ?? dirname(source)
    const read = decodeModel(await readBytes(source), { folder, name: source })
    model = { ...read, file: source }
  } else if (source instanceof Uint8Array) {
    model = decodeModel(source, options)
  } else {
    throw badArgument('model', 'a path or a Uint8Array', source)
  }
  await settleExternal(model)
  const opened = await widenFloats(freeBatch(inlineFunctions(model), options.axes))
  const missing = missingParameters(opened)
  if (missing.length === 0) return opened
  const note = `the exporter folded, renamed, merged or dropped parameters of the module (equal ones are stored once; the option untied separates them): ${missing.slice(0, 8).map(quote).join(', ')}${missing.length > 8 ? ` and ${missing.length - 8} more` : ''}`
  return { ...opened, notes: [...opened.notes, note] }
}

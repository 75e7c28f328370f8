// What of a machine decides the last bits of a result.
import { readFileSync } from 'node:fs'
import { onnxruntimeVersion } from '../native/binary.js'
import { native } from '../native/index.js'

/** Machines that are alike in all of this compute the same bits. */
export interface Processor {
  arch: string
  /** Those vector instructions of the processor that libraries choose by. */
  instructions: string
  /** Name, version and kernel of the BLAS. */
  blas: string
  onnxruntime: string
}

const deciding = /^(avx|avx2|fma|avx512[a-z_0-9]*|avx_vnni|amx_[a-z0-9]*|asimd|sve2?|i8mm|bf16)$/

function instructions(): string {
  try {
    const line = readFileSync('/proc/cpuinfo', 'latin1').match(/^(?:flags|Features)\s*:(.*)$/m)
    const flags = (line?.[1] ?? '').trim().split(/\s+/)
    return flags.filter((flag) => deciding.test(flag)).join(' ')
  } catch {
    return ''
  }
}

export function processor(): Processor {
  return {
    arch: process.arch,
    instructions: instructions(),
    blas: native.blas,
    onnxruntime: onnxruntimeVersion() ?? '',
  }
}

/** In words, why this machine's last bits may differ from another's; undefined where they do not. */
export function otherProcessor(of: Processor): string | undefined {
  const own = processor()
  if (own.arch !== of.arch || own.instructions !== of.instructions) {
    const has = new Set(own.instructions.split(' '))
    const lacks = of.instructions.split(' ').filter((flag) => flag !== '' && !has.has(flag))
    const what = lacks.length > 0 ? `has no ${lacks.join(', ')}` : 'has other vector instructions'
    return own.arch === of.arch
      ? `this processor ${what}`
      : `this processor is ${own.arch}, not ${of.arch}`
  }
  if (own.blas !== of.blas) {
    const kernel = of.blas.split(' ').at(-1)
    return `the BLAS here is ${own.blas}, not ${of.blas} (OPENBLAS_CORETYPE=${kernel} chooses the kernel of an OpenBLAS)`
  }
  if (own.onnxruntime !== of.onnxruntime) {
    return `onnxruntime here is ${own.onnxruntime}, not ${of.onnxruntime}`
  }
  return undefined
}

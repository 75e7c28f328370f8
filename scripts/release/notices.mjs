// The licences of what the packages carry.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../setup/run.mjs'
import { onnxruntimeNotices, openblas, tbb, zig } from './parts.mjs'

const ONNXRUNTIME_LICENSE = `MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

/**
 * @param {string} title
 * @param {string} text
 */
const section = (title, text) =>
  `${'='.repeat(80)}\n${title}\n${'='.repeat(80)}\n\n${text.trim()}\n\n`

/** @param {string} folder @param {string} name a file's, in any case */
function find(folder, name) {
  const file = readdirSync(folder).find((entry) => entry.toLowerCase() === name.toLowerCase())
  return readFileSync(join(folder, file ?? name), 'utf8')
}

/** @param {import('./platforms.mjs').Platform} platform */
export async function platformNotices(platform) {
  const blas = await openblas(platform)
  const information = readdirSync(blas).find((name) => name.endsWith('.dist-info')) ?? ''
  const threads = await tbb()
  const compiler = await zig()
  return [
    section(
      'OpenBLAS, LAPACK, libgfortran, libquadmath (libscipy_openblas.so)',
      find(join(blas, information, 'licenses'), 'LICENSE.txt'),
    ),
    section('oneTBB (in adaptive_tangent.node)', find(threads, 'LICENSE.txt')),
    section('What oneTBB contains', find(threads, 'third-party-programs.txt')),
    section('libc++ (in adaptive_tangent.node)', find(join(compiler, 'lib/libcxx'), 'LICENSE.TXT')),
    section(
      'libc++abi (in adaptive_tangent.node)',
      find(join(compiler, 'lib/libcxxabi'), 'LICENSE.TXT'),
    ),
    section(
      'libunwind (in adaptive_tangent.node)',
      find(join(compiler, 'lib/libunwind'), 'LICENSE.TXT'),
    ),
    section(
      'node-addon-api (in adaptive_tangent.node)',
      find(join(root, 'node_modules/node-addon-api'), 'LICENSE.md'),
    ),
    section('onnxruntime and onnxruntime-node (onnxruntime/)', ONNXRUNTIME_LICENSE),
    section('What onnxruntime contains', await onnxruntimeNotices()),
  ].join('')
}

import { basename, join } from 'node:path'
import { Option } from 'commander'
import { makeFolder } from '../io/folders.js'
import { writeFileAtomic } from '../io/index.js'
import { openKernel } from '../store/kernel.js'
import { type CommandDefinition, type CommonOptions, wholeNumber } from './define.js'
import { readGiven } from './input.js'
import { checkFolder } from './places.js'

interface Options extends CommonOptions {
  target?: string
  output?: number
  count?: number
  out: string
}

export const kernelCommand: CommandDefinition = {
  examples: [
    'kernel kernel.zarr --out report/',
    'kernel kernel.zarr --target labels.npy --count 100 --out report/',
    'kernel s3://bucket/kernel.zarr --out report/',
  ],
  options: [
    new Option('--target <file>', 'labels (N,) or real values (N, k), a file as for --input'),
    new Option('--output <o>', 'of a diagonal kernel, which output').argParser(wholeNumber(0)),
    new Option('--count <n>', 'largest eigenvalues (default: 50)').argParser(wholeNumber(1)),
    new Option('--out <folder>', 'gets report.html and report.json').makeOptionMandatory(),
  ],
  async run(session, [path = ''], { target: file, output, count, out, threads }: Options) {
    await checkFolder(out, '--out')
    const { probeKernel, renderKernel } = await import('../report/index.js')
    const { signal } = session
    const target = file === undefined ? undefined : await readGiven(file, {})
    const kernel = await openKernel(path, { output, signal })
    try {
      const name = basename(path)
      const report = await probeKernel(kernel, { name, target, count, threads, signal })
      const files = { html: join(out, 'report.html'), json: join(out, 'report.json') }
      await makeFolder(out)
      await writeFileAtomic(files.json, `${JSON.stringify(report, null, 2)}\n`, { signal })
      await writeFileAtomic(files.html, renderKernel(report), { signal })
      const { trace, effectiveRank, eigenvalues, topShare, alignment } = report
      session.say(
        `trace ${trace.toPrecision(4)}, effective rank ${effectiveRank.value.toPrecision(3)} of ${report.size}`,
        `the ${eigenvalues.length} largest eigenvalues carry ${(100 * topShare).toFixed(1)} % of the trace`,
        ...(alignment
          ? [`alignment ${alignment.cosine.toFixed(3)}, centred ${alignment.centred.toFixed(3)}`]
          : []),
        `Report: ${files.html}`,
      )
      session.result({ ...report, ...files })
    } finally {
      await kernel.close()
    }
  },
}

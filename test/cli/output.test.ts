// Standard output that is closed or full: what was computed is in its files all the same.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { loadModel, readNpy, writeNpy } from '../../lib/index.js'
import { mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

/** Runs a command whose output nobody takes. */
async function unheard(how: 'closed' | 'full', args: string[]) {
  const full = how === 'full' ? openSync('/dev/full', 'w') : undefined
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', full ?? 'pipe', 'pipe'],
  })
  child.stdout?.destroy()
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  if (full !== undefined) closeSync(full)
  return { code, stderr }
}

async function files(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'output-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const at = (name: string) => join(folder, name)
  const random = new Random(5)
  await writeFile(at('m.onnx'), mlp(random, [4, 6, 2]))
  await writeNpy(at('x.npy'), samples(random, [7, 4]))
  await writeNpy(at('y.npy'), samples(random, [7, 2]))
  return at
}

for (const how of ['closed', 'full'] as const) {
  for (const words of [[], ['--json'], ['--quiet']]) {
    const name = `standard output is ${how}: ${words.join() || 'words'}`
    const heard = words[0] === '--quiet'
    const told = how === 'full' ? /the disk is full/ : /whoever read it has closed it/
    test.serial(name, async (t) => {
      if (how === 'full' && !existsSync('/dev/full')) return t.pass('there is no /dev/full here')
      const at = await files(t)
      const input = ['--input', at('x.npy')]
      const check = ({ code, stderr }: { code: number; stderr: string }) => {
        t.is(code, heard ? 0 : 1, stderr)
        if (heard) t.is(stderr, '')
        else t.regex(stderr, told)
      }
      const fit = ['fit', at('m.onnx'), ...input, '--target', at('y.npy'), '--predict', at('x.npy')]
      check(await unheard(how, [...fit, '--out', at('fit'), ...words]))
      t.is(JSON.parse(readFileSync(at('fit/summary.json'), 'utf8')).status, 'converged')
      t.deepEqual((await readNpy(at('fit/predictions.npy'))).shape, [7, 2])
      t.truthy(await loadModel(at('fit/model.safetensors')))
      check(await unheard(how, ['ntk', at('m.onnx'), ...input, '--out', at('k.npy'), ...words]))
      t.deepEqual((await readNpy(at('k.npy'))).shape, [7, 2, 7, 2])
    })
  }
}

test.serial('an error keeps its code when nobody hears of it', async (t) => {
  const at = await files(t)
  const { code } = await unheard('closed', ['ntk', at('m.onnx'), '--json', '--input', at('none')])
  t.is(code, 2)
})

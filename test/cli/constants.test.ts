// What `info` tells of constants, and `--constants`.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
const model = fileURLToPath(
  new URL('../../../test/constants/paddle_convolutions/model.onnx', import.meta.url),
)

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function info(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'info', model, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('info lists the constants by reason', async (t) => {
  const { code, stdout } = await info()
  t.is(code, 0)
  t.regex(stdout, /^ {2}a running mean: batch_norm2d_0\.w_1$/m)
  t.regex(stdout, /^ {2}a clip bound: zero, six$/m)
  t.regex(stdout, /^ {2}a Constant node: three, sixth$/m)
  t.regex(stdout, /^ {2}12 Constant nodes hold weights\.$/m)
})

test('--constants takes all, none, or names; --constant is its old name', async (t) => {
  const count = async (...args: string[]) => {
    const { stdout } = await info('--json', ...args)
    return (JSON.parse(stdout).parameters as unknown[]).length
  }
  t.is(await count(), 10)
  t.is(await count('--constants', 'all'), 12)
  t.is(await count('--constants', 'three', '--constants', 'six'), 12)
  t.is(await count('--constant', 'six'), 11)
  const none = await info('--constants', 'none')
  t.is(none.code, 1)
  t.regex(none.stdout, /"conv2d_0\.w_0" \(a Constant node\)/)
  const both = await info('--constants', 'all', '--constants', 'six')
  t.is(both.code, 2)
  t.regex(both.stderr, /'all' alone, or names for --constants/)
})

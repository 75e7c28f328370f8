import { spawn } from 'node:child_process'
import test from 'ava'
import { patience } from './patience.js'

const why = (script: string, limit: number): Promise<string> => {
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  return new Promise((resolve) => {
    const stop = patience(child.pid as number, limit, (reason) => {
      stop()
      child.kill('SIGKILL')
      resolve(reason)
    })
  })
}

test('a child that computes without end is a hang', async (t) => {
  t.regex(await why('for (;;);', 1000), /CPU time|asleep/)
})

test('a child that waits without end is a hang', async (t) => {
  t.regex(await why('setInterval(() => {}, 1e6)', 1000), /asleep/)
})

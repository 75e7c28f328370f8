// Two set-ups at once in one checkout wait for each other.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root, say } from './run.mjs'

const FILE = join(root, '.setup.lock')

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}

function take() {
  try {
    writeFileSync(FILE, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    return false
  }
}

function dropStale() {
  let text = ''
  try {
    text = readFileSync(FILE, 'utf8')
  } catch {
    return
  }
  // An empty file is one that its owner has not filled yet.
  if (text !== '' && !alive(Number(text))) rmSync(FILE, { force: true })
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function locked(work) {
  let told = false
  while (!take()) {
    dropStale()
    if (!told) say('Waiting for another set-up of this checkout …')
    told = true
    await sleep(200)
  }
  const release = () => rmSync(FILE, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

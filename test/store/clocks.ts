// Processes whose clock is hours ahead or behind, by libfaketime.

/** Where `npm run test:store` has found or installed it. */
const library = process.env.FAKETIME_LIBRARY

/** Of the environment of such a process. What measures time that passes is as everywhere. */
export function otherClock(hours: number): NodeJS.ProcessEnv {
  if (library === undefined)
    throw new Error('Expected FAKETIME_LIBRARY, as npm run test:store sets it')
  if (hours === 0) return {}
  return {
    LD_PRELOAD: library,
    FAKETIME: `${hours < 0 ? '-' : '+'}${Math.abs(hours)}h`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/** Milliseconds since some time: without `performance`, which takes a thread one of them to load. */
export function milliseconds(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return 1e3 * seconds + nanoseconds / 1e6
}

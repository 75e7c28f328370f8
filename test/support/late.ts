// "At once" without a clock: a thread's timers fire in the order of their times, however busy the machine is.
const moment = 200

/** Sets `is` once 200 ms have gone by for the timers of this thread. */
export function markLate(late: { is: boolean }): void {
  setTimeout(() => {
    late.is = true
  }, moment).unref()
}

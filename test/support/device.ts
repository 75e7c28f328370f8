// The device that tests run on: AT_TEST_DEVICE names a card (npm run gpu:check), else it is the emulated one.
import type { DeviceName } from '../../lib/index.js'

export const testDevice = (process.env.AT_TEST_DEVICE ?? 'emulated') as DeviceName

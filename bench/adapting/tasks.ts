// What the methods are compared on.
import { images } from './images.js'
import { tables } from './tables.js'
import type { Task } from './task.js'
import { teachers } from './teachers.js'

export const tasks: readonly Task[] = [...tables, ...teachers, ...images]

"""Time and peak memory of a call in this process. Linux only."""

import os
import resource
import time


def resident():
    """Bytes in use now."""
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def reset_peak():
    with open('/proc/self/clear_refs', 'w') as file:
        file.write('5')


def peak():
    """The high-water mark of resident memory since the last reset."""
    with open('/proc/self/status') as file:
        for line in file:
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    raise OSError('no VmHWM')


def limit_memory(bytes_):
    """Beyond this an allocation fails, instead of the machine."""
    if bytes_:
        resource.setrlimit(resource.RLIMIT_DATA, (bytes_, bytes_))


def measure(call, seconds, most, baseline):
    """The first call apart (compilation), then warm calls until the time is spent, at least one."""
    start = time.perf_counter()
    result = call()
    first = time.perf_counter() - start
    whole = peak()
    times, processor = [], []
    spent = 0.0
    while len(times) < most and (not times or spent + min(times) < seconds):
        del result
        if not times:
            reset_peak()
        start, used = time.perf_counter(), time.process_time()
        result = call()
        times.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
        spent += times[-1]
    figures = {
        'first': first,
        'times': times,
        'processor': processor,
        'baseline': baseline,
        'peak': peak(),
        'peakWithCompilation': whole,
    }
    return result, figures

#!/bin/sh
# Starts what npm run gpu:check packed, on the machine with the card; NVIDIA's libraries are found where Python's
# packages have them.
# bash run.sh [DEVICE [MINUTES]]: the results are in $OUT, or in the folder of this file. Where only core.tar.xz lies
# next to it, the unit tests of the C++ code run and nothing else; they need no Node.
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unpack() {
  python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$place" ||
    tar -xJf "$1" -C "$place"
}
unpack "$here/core.tar.xz" || exit 1
found=$(python3 - <<'END' 2>/dev/null
import glob, os, sysconfig
roots = {sysconfig.get_paths()[name] for name in ('purelib', 'platlib')}
names = ('libcublas.so.13', 'libcusolver.so.12')
print(':'.join(sorted({
    os.path.dirname(path)
    for root in roots
    for name in names
    for path in glob.glob(f'{root}/nvidia/**/{name}', recursive=True)
})))
END
)
export LD_LIBRARY_PATH="$place/libraries:$found${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export AT_TEST_DEVICE="${1:-cuda:0}"
cat "$here"/check.tar.xz.* >"$place/check.tar.xz" 2>/dev/null
bytes=$(wc -c <"$place/check.tar.xz")
if [ "$bytes" != "$(cat "$place/bytes")" ]; then
  echo "Of the parts of check.tar.xz $bytes bytes are here: only the unit tests of the C++ code are run"
  "$place/native_tests" '--test-case=device: *,*on a device*'
  exit
fi
unpack "$place/check.tar.xz" || exit 1
rm "$place/check.tar.xz"
"$place/node" "$place/scripts/gpu/steps.mjs" --device "$AT_TEST_DEVICE" --out "$out" --minutes "${2:-8}"

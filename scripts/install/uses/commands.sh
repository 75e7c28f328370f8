set -e
npx --no-install adaptive-tangent --version
npx --no-install adaptive-tangent doctor
npx --no-install adaptive-tangent doctor --json > doctor.json
cat > arrays.mjs <<'JS'
import { writeNpy } from 'adaptive-tangent'
const x = { shape: [6, 8], data: Float32Array.from({ length: 48 }, (_, k) => Math.sin(k)) }
await writeNpy('x.npy', x)
await writeNpy('y.npy', { shape: [6], data: Int32Array.from([0, 1, 2, 0, 1, 2]) })
JS
node arrays.mjs
npx --no-install adaptive-tangent info made/net.onnx
npx --no-install adaptive-tangent probe made/net.onnx --input x.npy --target y.npy --out report
test -s report/report.html

"""Makes test/io/pictures and test/io/numbers.parquet: small images and a table with what Pillow and numpy
read from them (pip install numpy pillow pyarrow)."""
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

here = Path(__file__).parent
folder = here / 'pictures'
random = np.random.default_rng(3)


def save(name, array, mode=None, **how):
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    (folder / name).parent.mkdir(exist_ok=True)
    image.save(folder / name, **how)


smooth = np.linspace(0, 255, 11 * 14 * 3).reshape(11, 14, 3)
colour = (smooth + random.normal(0, 20, smooth.shape)).clip(0, 255).astype(np.uint8)
save('a/grey.png', colour[:, :, 0])
save('a/colour.png', colour)
save('a/alpha.png', np.concatenate([colour, colour[:, :, :1]], axis=2))
save('b/palette.png', colour, 'P')
save('b/photo.jpg', colour, quality=95, subsampling=0)
expected = {}
for size in [(11, 14), (4, 5), (20, 16)]:
    for mode in ['L', 'RGB']:
        made = []
        for path in sorted(folder.rglob('*.*g'), key=lambda one: str(one.relative_to(folder))):
            image = Image.open(path)
            image = image.convert('RGB') if image.mode in ('P', 'RGBA') else image
            image = image.convert(mode)
            if size != (11, 14):
                image = image.resize(size[::-1], Image.BILINEAR)
            array = np.asarray(image)
            made.append(array.reshape(*size, -1))
        expected[f'{mode}{size[0]}'] = np.stack(made)
np.savez_compressed(here / 'pictures.npz', **expected)

n = 50
row = np.arange(n)
table = pa.table({
    'f': pa.array((row * 0.5 - 3).astype(np.float32)),
    'd': pa.array(np.sqrt(row)),
    'i': pa.array((row * 7 % 11).astype(np.int64)),
    'u': pa.array((row * 5 % 256).astype(np.uint8)),
    'b': pa.array(row % 3 == 0),
    'v': pa.array([[float(k), k / 2, -1.0] for k in range(n)], pa.list_(pa.float32())),
    'name': pa.array([f'n{k}' for k in range(n)]),
    'hole': pa.array([None if k == 33 else float(k) for k in range(n)]),
    'ragged': pa.array([[1.0] * (1 + k // 30) for k in range(n)], pa.list_(pa.float32())),
})
pq.write_table(table, here / 'numbers.parquet', compression='zstd', row_group_size=20)

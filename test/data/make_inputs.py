"""Writes inputs.json: the inputs of every operator of ai.onnx that may be float32, by opset."""
import json
import pathlib

import onnx.defs

FLOAT = 'tensor(float)'
found = {}
for schema in onnx.defs.get_all_schemas_with_history():
    if schema.domain or schema.deprecated or schema.since_version > 26:
        continue
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    # The version that opset 9, the oldest that is read, has, and all that came later.
    newest = max((s.since_version for s in onnx.defs.get_all_schemas_with_history()
                  if s.name == schema.name and not s.domain and s.since_version <= 9), default=1)
    if schema.since_version < newest:
        continue
    for place, given in enumerate(schema.inputs):
        if FLOAT in allowed.get(given.type_str, [given.type_str]):
            found.setdefault(schema.name, {})[place] = given.name
lines = (f'  {json.dumps(op)}: {json.dumps({str(k): found[op][k] for k in sorted(found[op])})}'
         for op in sorted(found))
path = pathlib.Path(__file__).with_name('inputs.json')
path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')

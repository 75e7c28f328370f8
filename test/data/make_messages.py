"""Writes messages.json: every message, field and enum of ONNX files, as the onnx package describes them.

    pip install onnx==1.23.2 && python make_messages.py
"""

import json
from pathlib import Path

import onnx
from google.protobuf.descriptor import FieldDescriptor
from onnx import onnx_ml_pb2

TYPES = {
    getattr(FieldDescriptor, name): name[len("TYPE_") :].lower()
    for name in dir(FieldDescriptor)
    if name.startswith("TYPE_")
}


def field(described):
    kind = described.message_type or described.enum_type
    words = [
        str(described.number),
        "repeated" if described.is_repeated else "optional",
        kind.full_name if kind else TYPES[described.type],
    ]
    if described.is_packed:
        words.append("packed")
    if described.containing_oneof:
        words.append(f"one of {described.containing_oneof.name}")
    return " ".join(words)


messages, enums = {}, {}


def visit(message):
    messages[message.full_name] = {each.name: field(each) for each in message.fields}
    for each in message.enum_types:
        enums[each.full_name] = {value.name: value.number for value in each.values}
    for each in message.nested_types:
        visit(each)


for message in onnx_ml_pb2.DESCRIPTOR.message_types_by_name.values():
    visit(message)
for enum in onnx_ml_pb2.DESCRIPTOR.enum_types_by_name.values():
    enums[enum.full_name] = {value.name: value.number for value in enum.values}

found = {"onnx": onnx.__version__, "messages": messages, "enums": enums}
(Path(__file__).parent / "messages.json").write_text(json.dumps(found, indent=1) + "\n")

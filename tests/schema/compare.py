#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares every message, field and enumeration value of our onnx.proto with the onnx package's: number, type, label."""
import subprocess
import sys
import tempfile

SKIPPED = 77


def main(proto_folder: str) -> int:
    try:
        import onnx
        import onnx.onnx_data_pb2
        from google.protobuf import descriptor_pb2
    except ImportError:
        print("SKIPPED: the onnx package is not installed for this Python")
        return SKIPPED
    with tempfile.NamedTemporaryFile() as out:
        try:
            subprocess.run(["protoc", f"--proto_path={proto_folder}", f"--descriptor_set_out={out.name}", "onnx.proto"], check=True)
        except FileNotFoundError:
            print("SKIPPED: protoc is not installed")
            return SKIPPED
        ours = descriptor_pb2.FileDescriptorSet.FromString(out.read()).file[0]
    theirs = descriptor_pb2.FileDescriptorProto()
    for part in (onnx.onnx_ml_pb2, onnx.onnx_data_pb2):
        known = descriptor_pb2.FileDescriptorProto()
        part.DESCRIPTOR.CopyToProto(known)
        theirs.MergeFrom(known)
    wrong, counted = [], 0

    def bare(name: str) -> str:
        return name.rsplit(".onnx.", 1)[-1].removeprefix(".onnx.")

    def compare_enums(where, mine, known):
        nonlocal counted
        values = {e.name: {v.name: v.number for v in e.value} for e in known}
        for enum in mine:
            for value in enum.value:
                counted += 1
                if values.get(enum.name, {}).get(value.name) != value.number:
                    wrong.append(f"{where}{enum.name}.{value.name} = {value.number}")

    def compare_messages(where, mine, known):
        nonlocal counted
        messages = {m.name: m for m in known}
        for message in mine:
            path = f"{where}{message.name}"
            other = messages.get(message.name)
            if other is None:
                wrong.append(f"{path}: no such message")
                continue
            fields = {f.name: f for f in other.field}
            for field in message.field:
                counted += 1
                match = fields.get(field.name)
                same = match is not None and (match.number, match.type, match.label, bare(match.type_name)) == (
                    field.number, field.type, field.label, bare(field.type_name))
                if not same:
                    wrong.append(f"{path}.{field.name} = {field.number}")
            compare_messages(path + ".", message.nested_type, other.nested_type)
            compare_enums(path + ".", message.enum_type, other.enum_type)

    compare_messages("", ours.message_type, theirs.message_type)
    compare_enums("", ours.enum_type, theirs.enum_type)
    for line in wrong:
        print("differs from onnx:", line)
    print(f"{counted} fields and values compared with onnx {onnx.__version__}, {len(wrong)} differ")
    return 1 if wrong or counted < 90 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

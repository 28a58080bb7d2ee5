# SPDX-License-Identifier: Apache-2.0
"""The networks that tests/networks/make.py wrote."""
import dataclasses
import pathlib

# What the exporters call the same network, the one that all engines read first.
KINDS = ("torchscript", "packaged", "dynamo")


@dataclasses.dataclass
class Network:
    name: str
    model: pathlib.Path
    converted: pathlib.Path

    def read(self, kind: str, index: int):
        """Input or output `index` of the first case, as a NumPy array."""
        import onnx

        proto = onnx.TensorProto()
        proto.ParseFromString((self.model.parent / "test_data_set_0" / f"{kind}_{index}.pb").read_bytes())
        return onnx.numpy_helper.to_array(proto)

    def outputs(self):
        count = len(list((self.model.parent / "test_data_set_0").glob("output_*.pb")))
        return [self.read("output", i) for i in range(count)]


def find_networks(folder: pathlib.Path, names=()) -> list[Network]:
    found = []
    for place in sorted((folder / "networks").iterdir()):
        model = next((place / kind / "model.onnx" for kind in KINDS if (place / kind / "model.onnx").exists()), None)
        if model and (not names or place.name in names):
            found.append(Network(place.name, model, folder / "converted" / place.name))
    return found

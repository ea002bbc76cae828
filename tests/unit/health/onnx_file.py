"""A tiny ONNX model, encoded by hand: this environment has the runtime, not the library that makes models.

The output is an offset per emotion plus the mean of the normalised pixels. See onnx.proto for the field numbers.
"""

import struct

FLOAT = 1
IR_VERSION, OPSET = 8, 13


def linear_model(
    offsets: tuple[float, float, float, float] = (1.0, 1.2, 1.4, 1.6), input_name: str = "input", side: int = 224
) -> bytes:
    """The file's content; another input name or size breaks the contract."""
    nodes = [
        node("GlobalAveragePool", [input_name], ["pooled"]),
        node("Flatten", ["pooled"], ["flat"]),
        node("Gemm", ["flat", "weights", "offsets"], ["output"]),
    ]
    graph = b"".join(field(1, content) for content in nodes)
    graph += field(2, b"linear")
    graph += field(5, tensor("weights", (3, 4), [1 / 3] * 12)) + field(5, tensor("offsets", (4,), list(offsets)))
    graph += field(11, value_info(input_name, (3, side, side))) + field(12, value_info("output", (4,)))
    opset = field(1, b"") + number(2, OPSET)
    return number(1, IR_VERSION) + field(7, graph) + field(8, opset)


def varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def field(tag: int, content: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(content)) + content


def node(kind: str, inputs: list[str], outputs: list[str]) -> bytes:
    names = [field(1, name.encode()) for name in inputs] + [field(2, name.encode()) for name in outputs]
    return b"".join(names) + field(4, kind.encode())


def tensor(name: str, shape: tuple[int, ...], values: list[float]) -> bytes:
    sizes = b"".join(number(1, size) for size in shape)
    return sizes + number(2, FLOAT) + field(8, name.encode()) + field(9, struct.pack(f"<{len(values)}f", *values))


def value_info(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = field(1, field(2, b"batch")) + b"".join(field(1, number(1, size)) for size in shape)
    return field(1, name.encode()) + field(2, field(1, number(1, FLOAT) + field(2, sizes)))

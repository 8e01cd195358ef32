"""From a ConfigDict to frozen dataclasses: every key is a field, every field is set, no key is unknown."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ml_collections import ConfigDict

from distinctad_jax.errors import BadUsage

T = TypeVar("T")
LONGEST = 240
"""Characters of what a class says of a value that it refuses: it may print itself with all its fields."""


def build(cls: Any, mapping: Any, where: str = "config") -> Any:
    """Makes `cls`, a frozen dataclass, of a mapping, and its fields that are dataclasses of nested mappings. Of a
    union of dataclasses the one is made that has the mapping's keys.

    Errors: BadUsage that names the key, for an unknown or missing key, a wrong type, or a value the class refuses.
    """
    if not isinstance(mapping, (Mapping, ConfigDict)):
        raise _wrong(where, mapping, "keys and values")
    if isinstance(cls, types.UnionType):
        cls = _meant(typing.get_args(cls), mapping)
    given = mapping.to_dict() if isinstance(mapping, ConfigDict) else dict(mapping)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in given:
        if key not in fields:
            known = ", ".join(fields)
            raise BadUsage(f"unknown key, known are: {known}", where=f"{where}.{key}", mend="correct or remove it")
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name not in given and not optional:
            raise BadUsage("the key is missing", where=f"{where}.{name}", mend="set it")
    values = {key: _value(hints[key], value, f"{where}.{key}") for key, value in given.items()}
    with refused(where):
        return cls(**values)


@contextlib.contextmanager
def refused(where: str) -> Iterator[None]:
    """What a class or function refuses in the block with a ValueError is BadUsage of the keys at `where`."""
    try:
        yield
    except ValueError as error:
        told = str(error).rstrip(".")
        told = told if len(told) <= LONGEST else f"{told[:LONGEST]} ..."
        raise BadUsage(told, where=where, mend="correct the value") from None


def _value(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type that `hint` names; ints pass for floats, lists for tuples."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, (Mapping, ConfigDict)):
        return build(hint, value, where)  # type: ignore[type-var]
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in args:
            return None
        return _value(_meant(args, value), value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise _wrong(where, value, f"{len(kinds)} values")
        return tuple(
            _value(kind, item, f"{where}[{place}]")
            for place, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    if origin is dict and isinstance(value, Mapping):
        return {key: _value(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is typing.Literal:
        if value not in args:
            raise _wrong(where, value, "one of " + ", ".join(map(repr, args)))
        return value
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise _wrong(where, value, getattr(hint, "__name__", str(hint)))


def _meant(kinds: tuple[Any, ...], value: Any) -> Any:
    """Of several types the one that a value is for: the dataclass that has its keys, or else the first."""
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if isinstance(value, (Mapping, ConfigDict)):
        for kind in filter(dataclasses.is_dataclass, kinds):
            fields = dataclasses.fields(kind)
            needed = {field.name for field in fields if field.default is field.default_factory is dataclasses.MISSING}
            if needed <= set(value) <= {field.name for field in fields}:
                return kind
    return kinds[0]


def _wrong(where: str, value: Any, needed: str) -> BadUsage:
    return BadUsage(f"found {value!r}, needed {needed}", where=where, mend="correct the value")


def plain(config: Any, which: Callable[[dataclasses.Field[Any]], bool] = lambda field: True) -> Any:
    """A config as JSON values; of its dataclasses, at any depth, the fields that `which` takes."""
    if dataclasses.is_dataclass(config):
        return {
            field.name: plain(getattr(config, field.name), which)
            for field in dataclasses.fields(config)
            if which(field) or dataclasses.is_dataclass(getattr(config, field.name))
        }
    if isinstance(config, Mapping):
        return {str(key): plain(value, which) for key, value in config.items()}
    return [plain(value, which) for value in config] if isinstance(config, (list, tuple)) else config


def keyed(config: Any) -> Any:
    """What of a config changes what is made of it, as JSON values, with which a hash is taken."""
    return plain(config, lambda field: not field.metadata.get("harmless"))


def unkeyed(config: Any) -> Any:
    """The rest: how often something is logged, how many workers read."""
    return _without_empty(plain(config, lambda field: bool(field.metadata.get("harmless"))))


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(part) for key, part in value.items()}
    return {key: part for key, part in kept.items() if part != {}}


def earlier(file: str, name: str, size: str) -> ConfigDict:
    """The config `name` that lies beside the config `file`, at the same size: what a later recipe builds on."""
    path = Path(file).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"distinctad_config_{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadUsage("no such config", where=path, mend="keep the configs in one folder")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(size)


def choose(sizes: Mapping[str, T], size: str, file: str) -> T:
    """The entry of a config's table of sizes. Errors: BadUsage that names the sizes there are."""
    if size not in sizes:
        raise BadUsage(f"no size {size!r}", where=Path(file).name, mend=f"choose one of: {', '.join(sizes)}")
    return sizes[size]

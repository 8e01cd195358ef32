"""Every key of a config is a field, and what does not fit is named by its key."""

import dataclasses
from typing import Any, Literal

import pytest
from ml_collections import ConfigDict

from distinctad_jax.config import LONGEST, build, choose, earlier, plain
from distinctad_jax.errors import BadUsage


@dataclasses.dataclass(frozen=True)
class Bridge:
    width: int
    rate: float = 0.1

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"width is at least 1, got {self.width}.")


@dataclasses.dataclass(frozen=True)
class Narrator:
    bridge: Bridge
    name: str
    kind: Literal["A", "B"] = "A"
    sizes: tuple[int, int] = (1, 2)
    recall: tuple[tuple[int, int], ...] = ()
    loud: bool = False
    second: Bridge | None = None
    limit: int | None = None
    variants: dict[str, Any] = dataclasses.field(default_factory=dict)


GIVEN = {"bridge": {"width": 3}, "name": "full"}


def test_a_mapping_becomes_frozen_dataclasses_all_the_way_down():
    whole = {
        **GIVEN,
        "sizes": [3, 4],
        "recall": [[1, 5], (5, 16)],
        "second": {"width": 7, "rate": 1},
        "variants": {"full": {"loss": {"distinctive": 0.0}}},
    }
    for given in (whole, ConfigDict(whole)):
        built = build(Narrator, given)
        assert built.bridge == Bridge(3) and built.sizes == (3, 4) and built.recall == ((1, 5), (5, 16))
        assert built.second == Bridge(7, 1.0) and built.limit is None
        assert built.variants["full"]["loss"]["distinctive"] == 0.0
        with pytest.raises(dataclasses.FrozenInstanceError):
            built.name = "other"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"brigde": {}}, r"config\.brigde: unknown key, known are: bridge, name, kind"),
        ({"bridge": {"width": 3, "heads": 2}}, r"config\.bridge\.heads: unknown key, known are: width, rate"),
        ({"bridge": {}}, r"config\.bridge\.width: the key is missing; set it"),
        ({"bridge": {"width": 2.0}}, r"config\.bridge\.width: found 2\.0, needed int"),
        ({"bridge": {"width": True}}, r"config\.bridge\.width: found True, needed int"),
        ({"bridge": {"width": "3"}}, r"config\.bridge\.width: found '3', needed int"),
        ({"bridge": {"width": None}}, r"config\.bridge\.width: found None, needed int"),
        ({"bridge": {"width": 3, "rate": True}}, r"config\.bridge\.rate: found True, needed float"),
        ({"bridge": {"width": 0}}, r"config\.bridge: width is at least 1, got 0; correct the value"),
        ({"bridge": 3}, r"config\.bridge: found 3, needed Bridge"),
        ({"name": 3}, r"config\.name: found 3, needed str"),
        ({"kind": "C"}, r"config\.kind: found 'C', needed one of 'A', 'B'"),
        ({"sizes": (1, 2, 3)}, r"config\.sizes: found \(1, 2, 3\), needed 2 values"),
        ({"sizes": (1, "b")}, r"config\.sizes\[1\]: found 'b', needed int"),
        ({"sizes": 1}, r"config\.sizes: found 1, needed"),
        ({"recall": ((1, 5), (5, 1.5))}, r"config\.recall\[1\]\[1\]: found 1\.5, needed int"),
        ({"loud": 1}, r"config\.loud: found 1, needed bool"),
        ({"second": {"width": -1}}, r"config\.second: width is at least 1, got -1"),
        ({"limit": "many"}, r"config\.limit: found 'many', needed int"),
        ({"variants": ["full"]}, r"config\.variants: found \['full'\], needed"),
    ],
)
def test_what_does_not_fit_is_named_by_its_key(change, told):
    with pytest.raises(BadUsage, match=told):
        build(Narrator, {**GIVEN, **change})


@pytest.mark.parametrize("given", [3, [1, 2], "text", None])
def test_only_a_mapping_is_a_config(given):
    with pytest.raises(BadUsage, match=r"^where: found .+, needed keys and values"):
        build(Narrator, given, "where")


def test_what_a_class_says_of_itself_is_cut_to_a_line_that_can_be_read():
    @dataclasses.dataclass(frozen=True)
    class Talker:
        text: str

        def __post_init__(self):
            raise ValueError(f"not one of these: {self.text}")

    with pytest.raises(BadUsage, match="not one of these") as caught:
        build(Talker, {"text": "x" * 10_000})
    assert len(str(caught.value)) < LONGEST + 100


def test_an_int_passes_for_a_float_and_is_one_afterwards():
    assert isinstance(build(Bridge, {"width": 1, "rate": 2}).rate, float)


def test_plain_gives_what_build_takes():
    built = build(Narrator, {**GIVEN, "second": {"width": 2}})
    assert build(Narrator, plain(built)) == built
    assert plain(built)["sizes"] == [1, 2] and plain(built)["bridge"] == {"width": 3, "rate": 0.1}


def test_a_size_or_config_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadUsage, match=r"stage2\.py: no size 'huge'; choose one of: toy, tiny"):
        choose({"toy": 1, "tiny": 2}, "huge", "/configs/stage2.py")
    with pytest.raises(BadUsage, match=r"pack\.py: no such config"):
        earlier(str(tmp_path / "stage2.py"), "pack", "toy")

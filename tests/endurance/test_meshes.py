"""Another mesh at a restart, random keys and shards in a checkpoint, and a device without room."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P
from small_training import SMALL, small_fit

from distinctad_jax.checkpoints.digests import differing, read_digest
from distinctad_jax.checkpoints.runs import Checkpoints
from distinctad_jax.errors import BadEnvironment
from distinctad_jax.training.gauges import Gauges
from distinctad_jax.training.logbook import BATCHES, read_logbook
from distinctad_jax.training.mesh import MeshConfig, make_mesh


def test_on_another_mesh_it_goes_on_with_the_same_rows(tmp_path):
    config = dataclasses.replace(SMALL, batch=8)
    small_fit(tmp_path / "quiet", config=config)

    def crash(last):
        def trouble(step):
            if step == last:
                raise MemoryError

        return trouble

    for devices, last in ((1, 5), (2, 8), (4, 11)):
        with pytest.raises(MemoryError):
            small_fit(tmp_path / "run", crash(last), config, devices=devices)
    small_fit(tmp_path / "run", config=config)
    assert read_logbook(tmp_path / "run", BATCHES) == read_logbook(tmp_path / "quiet", BATCHES)
    losses = [[line["loss"] for line in read_logbook(tmp_path / name)] for name in ("run", "quiet")]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def sharded(mesh, spec):
    array = jnp.arange(64, dtype=jnp.bfloat16).reshape(8, 8)
    return jax.device_put(array, NamedSharding(mesh, spec))


@pytest.mark.parametrize("spec", [P("fsdp"), P(None, "tensor"), P("fsdp", "tensor"), P()])
def test_digests_of_parts_hold_on_any_mesh(tmp_path, spec):
    mesh = make_mesh(MeshConfig(fsdp=2, tensor=2))
    key = jax.random.key(5)
    state = {"a": sharded(mesh, P("fsdp")), "scalar": jnp.float32(3), "key": key}
    checkpoints = Checkpoints(tmp_path, run="run")
    checkpoints.save(1, state)
    checkpoints.close()
    places = read_digest(tmp_path / "1" / "digest").arrays["['a']"]
    assert set(places) == {((0, 4), (0, 8)), ((4, 8), (0, 8))}
    other = {"a": sharded(mesh, spec), "scalar": state["scalar"], "key": key}
    shardings = jax.tree.map(lambda leaf: leaf.sharding, other)
    found = Checkpoints(tmp_path, run="run").restore(other, shardings)
    assert found.step == 1 and found.state["a"].sharding.spec == spec
    np.testing.assert_array_equal(found.state["a"].astype(np.float32), np.arange(64).reshape(8, 8))
    assert jax.random.uniform(found.state["key"]) == jax.random.uniform(key)
    plain = {**found.state, "key": jax.random.key_data(key)}
    digest = read_digest(tmp_path / "1" / "digest")
    assert differing(plain, digest) is None
    for name in ("a", "scalar"):
        assert differing({**plain, name: plain[name] + 1}, digest) == f"['{name}']"
    assert differing({"a": plain["a"]}, digest) is not None


def test_out_of_device_memory_names_the_batch_and_what_is_large(tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 99 bytes.\n" + 40 * "page\n")

    monkeypatch.setattr(Gauges, "compiled", full)
    with pytest.raises(BadEnvironment, match=r"out of device memory with a batch of 4 \(weights 0 MiB") as told:
        small_fit(tmp_path)
    assert "lower training.batch, raise training.pieces, or set remat" in told.value.mend
    assert told.value.code == 4

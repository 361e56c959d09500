"""Past one machine: the same call on a Dask cluster of two workers, the same bits for every chunking."""

import pytest

from mlsysim import Engine, Hardware, Models, ServingModel
from mlsysim.core.sweeps import run
from mlsysim.sweeping import sweep

np = pytest.importorskip("numpy")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

GPUS = [Hardware.A100, Hardware.H100]
MODELS = [Models.Llama3_8B, Models.Mixtral_8x7B]
BATCHES = range(1, 61)
CONTEXTS = np.arange(0, 34000, 1009)


@pytest.fixture(scope="module")
def client():
    """Two workers, a process each."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def here():
    """The same grid in one process: A100s have no fp8 peak, and contexts go beyond the longest."""
    return Engine.sweep(MODELS, GPUS, BATCHES, ["fp16", "fp8"], context=CONTEXTS)


def same(one, other):
    for name, column in one.columns.items():
        assert column.data.tobytes() == other.columns[name].data.tobytes(), name
    assert np.array_equal(one.feasible, other.feasible)
    assert np.array_equal(one.reason_codes, other.reason_codes)


def test_the_grid_has_something_of_everything(here):
    assert 0 < here.missing_count < here.size
    assert 0 < here.feasible.sum() < here.answered.sum()
    assert len(here.reasons) == 2


@pytest.mark.parametrize("chunk", [5, 16, len(CONTEXTS)])
def test_chunks_change_no_bit(client, here, chunk):  # noqa: ARG001 - the client that is open does the work
    lazy = Engine.sweep(MODELS, GPUS, BATCHES, ["fp16", "fp8"], context=da.from_array(CONTEXTS, chunks=chunk))

    assert lazy.is_lazy
    assert "compute()" in repr(lazy)
    same(here, lazy.compute())


def test_two_chunked_axes(client, here):  # noqa: ARG001
    batches = da.arange(1, 61, chunks=30)
    lazy = Engine.sweep(MODELS, GPUS, batches, ["fp16", "fp8"], context=da.from_array(CONTEXTS, chunks=17))

    same(here, lazy.compute())


def test_a_client_gives_the_same_bits(client, here, monkeypatch):
    monkeypatch.setattr(run, "TASK", 500)

    same(here, Engine.sweep(MODELS, GPUS, BATCHES, ["fp16", "fp8"], context=CONTEXTS, client=client))


@pytest.mark.parametrize("chunk", [17, len(CONTEXTS)])
def test_a_lazy_sweep_is_chosen_from_where_it_is(client, here, chunk):  # noqa: ARG001
    lazy = Engine.sweep(MODELS, GPUS, BATCHES, ["fp16", "fp8"], context=da.from_array(CONTEXTS, chunks=chunk))

    assert lazy.feasible.shape == lazy.shape
    assert lazy.best("throughput", context=">= 2000") == here.best("throughput", context=">= 2000")
    part = lazy.sel(model=Models.Llama3_8B, batch_size=8)
    same(here.sel(model=Models.Llama3_8B, batch_size=8), part.compute())
    assert np.array_equal(lazy["bottleneck"].compute(), here["bottleneck"])
    assert np.array_equal(
        lazy.elasticities()["memory_bandwidth"].compute(), here.elasticities()["memory_bandwidth"],
        equal_nan=True,
    )  # fmt: skip


def test_a_lazy_sweep_is_a_lazy_dataset(client, here):  # noqa: ARG001
    pytest.importorskip("xarray")
    lazy = Engine.sweep(MODELS, GPUS, BATCHES, ["fp16", "fp8"], context=da.from_array(CONTEXTS, chunks=17))
    data = lazy.to_xarray()

    assert data.latency.chunks
    assert float(data.latency.max()) == pytest.approx(np.nanmax(here.latency.magnitude))


def test_a_solver_is_swept_on_the_cluster(client):
    arguments = {"model": Models.Llama3_8B, "hardware": GPUS, "batch_size": range(1, 100)}
    far = sweep(ServingModel, **arguments, outputs=["tpot"], client=client)

    assert np.array_equal(
        far["tpot"].magnitude, sweep(ServingModel, **arguments, outputs=["tpot"])["tpot"].magnitude
    )

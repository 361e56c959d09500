"""One answer to one question: the engine, serving, the cache and the batch, over the whole zoo.

Every language model on every device that publishes what is needed. The lengths differ from pair to pair, so
that windows, contexts and batches are met in many combinations.
"""

import itertools

import pytest

from mlsysim import Engine, Hardware, MissingSpecError, Models, ServingModel, Transformer
from mlsysim.solvers.continuous_batching import ContinuousBatchingModel
from mlsysim.solvers.kv_cache import KVCacheModel
from mlsysim.solvers.single_node import largest_batch

NETS = [m for m in Models.list() if isinstance(m, Transformer)]
DEVICES = Hardware.list()
PRECISIONS = ("fp16", "bf16", "int8", "fp8", "fp32")


def supported(device):
    """The first precision that the device computes in, if it publishes all that a step needs."""
    if device.bandwidth is None or device.capacity is None:
        return None
    return next((p for p in PRECISIONS if p in device.peak), None)


ABLE = [(device, precision) for device in DEVICES if (precision := supported(device))]


def asked(number, model):
    """Batch, prompt and output of a pair."""
    batch = (1, 3, 8, 65)[number % 4]
    prompt = min((7, 512, 3000, 9000)[number // 4 % 4], model.context - 200)
    return batch, prompt, (1, 2, 64, 199)[number // 16 % 4]


def test_the_zoo_is_met():
    """The sweep below is over what there is, and that is a lot."""
    assert len(NETS) > 50
    assert len(ABLE) > 60


@pytest.mark.parametrize("model", NETS, ids=str)
def test_engine_and_serving_agree(model):
    for number, (device, precision) in enumerate(ABLE):
        batch, prompt, output = asked(number, model)
        served = ServingModel().solve(model, device, batch, precision, prompt=prompt, output=output)

        def step(context, size=batch, device=device, precision=precision):
            return Engine.solve(model, device, size, precision, context=context)

        full = step(prompt + output)
        cache = KVCacheModel().solve(model, device, batch, precision, prompt=prompt, output=output)
        assert served.prefill == Engine.solve(model, device, batch, precision, phase="prefill", prompt=prompt)
        assert served.decode == step(prompt + output // 2)
        assert served.fit == full.fit
        assert served.cache == full.work.state
        assert served.memory == cache
        most = served.max_concurrency
        assert most == (largest_batch(model, device, precision=precision, context=prompt + output) or 0)
        assert most == cache.exact_sequences == max(0, cache.contiguous.sequences)
        assert cache.paged.sequences <= most
        assert not step(prompt + output, most + 1).fits
        assert most == 0 or step(prompt + output, most).fits


@pytest.mark.parametrize(("model", "able"), zip(NETS, itertools.cycle(ABLE), strict=False), ids=str)
def test_one_in_flight_is_one_served(model, able):
    device, precision = able
    prompt = min(512, model.context - 200)
    alone = ContinuousBatchingModel().solve(model, device, 1, precision, prompt=prompt, output=64)
    served = ServingModel().solve(model, device, 1, precision, prompt=prompt, output=64)

    assert alone.flight.reading == pytest.approx(served.prefill.terms.latency, rel=1e-12)
    assert alone.flight.per_token == pytest.approx(served.decode.terms.latency, rel=1e-9)
    assert alone.fits == served.memory.fits


@pytest.mark.parametrize("device", [d for d in DEVICES if supported(d) is None], ids=str)
def test_what_is_not_published_is_refused_alike(device):
    said = set()
    for solve in (Engine.solve, ServingModel().solve):
        with pytest.raises(MissingSpecError) as caught:
            solve(Models.Llama3_8B, device)
        said.add(str(caught.value))
    assert len(said) == 1

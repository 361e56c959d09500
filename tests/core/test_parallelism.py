"""Splits of a training run: sizes, names, and what a shape does not allow."""

import pytest

from mlsysim import ArgumentError, Models
from mlsysim.core.counting.sharding import split_faults
from mlsysim.core.parallelism import Parallelism, Zero


def test_devices_are_the_product_without_experts():
    split = Parallelism(dp_size=4, tp_size=8, pp_size=2, cp_size=2, ep_size=8)
    assert (split.devices, split.copies) == (128, 8)
    assert str(split) == "dp4 tp8 pp2 ep8 cp2"


def test_a_split_names_its_zero_stage():
    assert str(Parallelism(dp_size=2, zero_stage=3)) == "dp2 ZeRO-3"
    assert Parallelism(zero_stage=1).zero_stage is Zero.STATE
    assert str(Parallelism()) == "one device"


def test_all_faults_are_named_at_once():
    with pytest.raises(ArgumentError) as caught:
        Parallelism(dp_size=0, tp_size=1.5, zero_stage=4)
    text = str(caught.value)
    for part in ("dp_size must be", "tp_size must be", "zero_stage must be 0, 1, 2 or 3; got 4"):
        assert part in text


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"dp_size": 4, "ep_size": 3},
            r"ep_size \(3\) must divide dp_size x cp_size x tp_size \(4 x 1 x 1\)",
        ),
        ({"interleave": 2}, r"interleave \(2\) needs a pipeline"),
        ({"zero_stage": True}, "zero_stage must be"),
    ],
)
def test_sizes_that_contradict_each_other(sizes, message):
    with pytest.raises(ArgumentError, match=message):
        Parallelism(**sizes)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"tp_size": 3}, "tp_size (3) must divide the heads of Llama-3.1-8B, 32"),
        ({"pp_size": 8, "interleave": 5}, "pp_size x interleave (8 x 5) must not exceed the layers"),
        ({"dp_size": 8, "ep_size": 8}, "ep_size (8) needs experts; Llama-3.1-8B has none"),
        ({"cp_size": 3}, "cp_size (3) must divide prompt, 8,192 tokens"),
    ],
)
def test_what_a_shape_does_not_allow(sizes, message):
    assert [message in fault for fault in split_faults(Models.Llama3_8B, Parallelism(**sizes), 8192)] == [
        True
    ]


def test_experts_must_divide():
    faults = split_faults(Models.Language.Mixtral_8x7B, Parallelism(dp_size=3, ep_size=3), 1024)
    assert faults == ["ep_size (3) must divide the experts of Mixtral-8x7B, 8"]
    assert not split_faults(Models.Language.Mixtral_8x7B, Parallelism(dp_size=8, ep_size=8, tp_size=4), 1024)

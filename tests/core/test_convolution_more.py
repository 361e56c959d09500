"""The blocks of mobile, modern and detecting ConvNets, by hand."""

from math import prod

import pytest

from mlsysim import ConvNet
from mlsysim.core.counting.convolution import _RULES, Convolution, convolutions
from mlsysim.core.errors import SpecError
from mlsysim.core.models.vision import CONVNET_OPS


def net(*layers, image=(8, 8, 8)):
    return ConvNet(name="net", input=image, layers=layers)


def macs(*layers, image=(8, 8, 8)):
    return [x.macs for x in convolutions(net(*layers, image=image))]


def parameters(*layers, image=(8, 8, 8)):
    return [x.parameters for x in convolutions(net(*layers, image=image))]


def conv(out, kernel=1, stride=1, **more):
    return {"op": "conv", "out": out, "kernel": kernel, "stride": stride, **more}


def test_every_operation_has_a_rule():
    assert CONVNET_OPS.keys() == _RULES.keys()


def test_a_kernel_and_a_stride_may_be_a_pair():
    """The stem of keyword spotting: 49x10 by (2, 2) is 25x5; a 10x4 kernel has 40 weights."""
    (square,) = convolutions(net(conv(64, [10, 4], 2), image=(1, 49, 10)))
    (tall,) = convolutions(net(conv(64, (10, 4), (2, 1)), image=(1, 49, 10)))

    assert square == Convolution(inputs=490, outputs=64 * 125, macs=64 * 40 * 125, parameters=64 * 40 + 128)
    assert tall.outputs == 64 * 25 * 10


def test_groups_see_their_share_of_the_channels():
    """Four groups of 8 channels: each of 16 outputs sees two; as many groups as channels see one each."""
    assert macs(conv(16, 3, groups=4)) == [16 * 2 * 9 * 64]
    assert macs(conv(8, 3, groups=8)) == [8 * 9 * 64]
    with pytest.raises(SpecError, match="ConvNet 'net': 3 groups must divide 8 channels in, 16 out"):
        convolutions(net(conv(16, 3, groups=3)))


@pytest.mark.parametrize(
    ("more", "extra"),
    [
        ({}, 2 * 4),
        ({"norm": "after"}, 2 * 4),
        ({"norm": "before"}, 2 * 8),
        ({"norm": "none"}, 0),
        ({"norm": "none", "bias": True}, 4),
        ({"bias": True}, 3 * 4),
    ],
)
def test_a_norm_scales_what_it_stands_with(more, extra):
    """From 8 to 4 channels: scale and shift of what comes out or goes in, and a bias for each output."""
    assert parameters(conv(4, **more)) == [8 * 4 + extra]


def test_a_linear_layer_may_have_a_norm():
    """640 to 128: 128 biases, and 2 x 128 behind or 2 x 640 in front."""
    for norm, extra in (("none", 0), ("after", 256), ("before", 1280)):
        layer = {"op": "linear", "out": 128, "norm": norm}
        assert parameters(layer, image=(640, 1, 1)) == [640 * 128 + 128 + extra]


def test_a_separable_convolution_filters_and_mixes():
    """Two blocks, 8 to 16 channels, the first at stride 2: 8x9 filters, 8 to 16; 16x9 filters, 16 to 16."""
    two = {"op": "separable", "out": 16, "stride": 2, "repeat": 2}

    assert macs(two) == [8 * 9 * 16, 8 * 16 * 16, 16 * 9 * 16, 16 * 16 * 16]
    assert parameters(two) == [8 * 9 + 16, 8 * 16 + 32, 16 * 9 + 32, 16 * 16 + 32]
    assert parameters({"op": "separable", "out": 16, "bias": True}) == [8 * 9 + 24, 8 * 16 + 48]
    assert macs({"op": "separable", "out": 16, "kernel": 5})[0] == 8 * 25 * 64


def test_an_mbconv_squeezes_the_channels_that_went_in():
    """8 widened to 48, a 5x5 filter, 48 to 8/4 = 2 and back with biases, down to 16."""
    block = {"op": "mbconv", "expand": 6, "out": 16, "kernel": 5, "stride": 2, "repeat": 1}

    assert macs(block) == [8 * 48 * 64, 48 * 25 * 16, 48 * 2, 2 * 48, 48 * 16 * 16]
    assert parameters(block)[2:4] == [48 * 2 + 2, 2 * 48 + 48]
    assert len(macs({**block, "expand": 1})) == 4


def test_the_second_block_of_a_stage_reads_what_the_first_wrote():
    block = {"op": "mbconv", "expand": 2, "out": 16, "kernel": 3, "stride": 2, "repeat": 2}

    assert macs(block)[5] == 16 * 32 * 16


def test_squeeze_and_excitation_leaves_the_image_as_it_is():
    layers = convolutions(net({"op": "squeeze_excite", "inner": 2}, conv(4)))

    assert [x.macs for x in layers] == [16, 16, 8 * 4 * 64]


def test_a_convnext_block_scales_its_result():
    """7x7 filter with bias and norm, 8 to 32 to 8 with biases, and 8 scales."""
    block = {"op": "convnext", "repeat": 2}

    assert macs(block) == 2 * [8 * 49 * 64, 8 * 32 * 64, 32 * 8 * 64]
    assert parameters(block) == 2 * [8 * 49 + 8 + 16, 8 * 32 + 32, 32 * 8 + 8 + 8]


def test_a_grouped_bottleneck():
    """ResNeXt: only the 3x3 is divided."""
    block = {"op": "bottleneck", "inner": 8, "out": 8, "stride": 1, "repeat": 1, "groups": 4}

    assert macs(block) == [8 * 8 * 64, 8 * 2 * 9 * 64, 8 * 8 * 64]


def test_a_basic_block_with_biases():
    block = {"op": "basic", "out": 16, "stride": 2, "repeat": 1, "bias": True}

    assert parameters(block) == [w + 48 for w in (9 * 8 * 16, 9 * 16 * 16, 8 * 16)]


def test_a_c2f_block_joins_all_that_it_saw():
    """Out 16: 8 to 16, a chain of 2 x 2 convolutions on 8 channels, then 4 x 8 to 16."""
    assert macs({"op": "c2f", "out": 16, "repeat": 2}) == [
        8 * 16 * 64,
        *4 * [8 * 9 * 8 * 64],
        32 * 16 * 64,
    ]


def test_pyramid_pooling_joins_four():
    """8 halved to 4, four of them to 16."""
    assert macs({"op": "sppf", "out": 16}) == [8 * 4 * 64, 16 * 16 * 64]


def test_a_kept_image_is_appended():
    """8x8 kept, halved, doubled: 4 + 8 channels at 8x8."""
    layers = [
        {"op": "keep", "name": "fine"},
        conv(4, 3, 2),
        {"op": "upsample"},
        {"op": "concat", "name": "fine"},
        conv(2),
    ]

    assert macs(*layers)[-1] == 12 * 2 * 64
    with pytest.raises(SpecError, match=r"'fine' has \[8, 8\] pixels, to be appended to \[4, 4\]"):
        convolutions(net(*(layer for layer in layers if layer["op"] != "upsample")))


def test_a_detector_looks_at_each_scale():
    """At 8x8 and 4x4: 64 wide for 64 bins, 10 wide for 10 classes; a mean of 16 bins for four sides."""
    heads = convolutions(
        net(
            {"op": "keep", "name": "fine"},
            conv(16, 3, 2),
            {"op": "keep", "name": "coarse"},
            {"op": "detect", "names": ["fine", "coarse"], "classes": 10},
        )
    )[1:]

    assert [x.macs for x in heads[:6]] == [
        64 * pixels for pixels in (8 * 9 * 64, 64 * 9 * 64, 64 * 64, 8 * 9 * 10, 10 * 9 * 10, 10 * 10)
    ]
    assert [x.inputs for x in heads[6:9]] == [16 * 16, 64 * 16, 64 * 16]
    assert heads[2].parameters == 64 * 64 + 64
    assert heads[-1] == Convolution(inputs=64 * 80, outputs=4 * 80, macs=64 * 80, parameters=16)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (conv(4, [3, 3, 3]), "layers[0] (conv): arguments must be whole positive numbers"),
        (conv(4, [3, 0]), "layers[0] (conv): kernel must be a whole positive number, or two"),
        (conv(4, 3, [1, True]), "layers[0] (conv): stride must be a whole positive number, or two"),
        (conv([4, 4]), "layers[0] (conv): arguments must be whole positive numbers"),
        (conv(4, norm="batch"), "layers[0] (conv): norm must be one of before, after, none"),
        (conv(4, norm=["after"]), "layers[0] (conv): norm must be one of before, after, none"),
        (conv(4, norm="scale"), "layers[0] (conv): norm must be one of before, after, none"),
        (conv(4, bias=1), "layers[0] (conv): bias must be true or false"),
        ({"op": "mbconv", "out": 8}, "layers[0] (mbconv) needs expand, kernel, repeat, stride"),
        ({"op": "separable", "out": 8, "expand": 2}, "layers[0] (separable) does not take expand"),
        ({"op": "keep", "name": 4}, "layers[0] (keep): name must be a text"),
        ({"op": "keep", "name": {}}, "layers[0] (keep): name must be a text"),
        ({"op": "concat", "name": "P3"}, "layers[0] (concat): no layer before it keeps 'P3'"),
        ({"op": "detect", "names": "P3", "classes": 8}, "layers[0] (detect): names must list texts"),
        ({"op": "detect", "names": [], "classes": 8}, "layers[0] (detect): names must list texts"),
        (
            {"op": "detect", "names": ["P3"], "classes": 8},
            "layers[0] (detect): no layer before it keeps 'P3'",
        ),
        ({"op": "upsample"}, "layers must hold at least one operation that computes"),
    ],
)
def test_a_wrong_argument_is_named(layer, said):
    with pytest.raises(SpecError) as caught:
        net(layer)
    assert said in str(caught.value)


def test_a_network_read_from_lists_can_be_hashed():
    """Lists, as TOML has them, become tuples; the count is kept by the network."""
    first, second = (net(conv(4, kernel)) for kernel in ([3, 1], (3, 1)))

    assert first == second
    assert hash(first) == hash(second)
    assert convolutions(first) is convolutions(second)
    assert prod(first.layers[0]["kernel"]) == 3

"""ConvNets layer by layer, by hand and against published counts."""

import pytest

from mlsysim import ConvNet, Models
from mlsysim.core.counting import count, parameters
from mlsysim.core.counting.convolution import Convolution, convolutions
from mlsysim.core.errors import SpecError
from mlsysim.core.models import Phase
from mlsysim.core.precision import precision

FP16 = precision("fp16")


def forward(model, number_format, batch):
    return count(model, Phase.FORWARD, number_format, batch=batch)


def net(*layers, image=(3, 8, 8)):
    return ConvNet(name="net", input=image, layers=layers)


def test_one_convolution():
    """3×3, stride 2, from 3×8×8 to 4×4×4: 4·3·9 = 108 weights, 108·16 multiply-adds, batch norm 2·4."""
    (layer,) = convolutions(net({"op": "conv", "out": 4, "kernel": 3, "stride": 2}))
    assert layer == Convolution(inputs=192, outputs=64, macs=1728, parameters=116)


def test_an_odd_image_is_halved_upwards():
    """Stride 2 on 7 pixels leaves 4; the same holds for pooling."""
    conv, head = convolutions(
        net(
            {"op": "conv", "out": 2, "kernel": 1, "stride": 2},
            {"op": "maxpool", "kernel": 3, "stride": 2},
            {"op": "linear", "out": 1},
            image=(1, 7, 7),
        )
    )
    assert conv.outputs == 2 * 4 * 4
    assert head.inputs == 2 * 2 * 2


def test_a_linear_layer_has_a_bias_and_no_norm():
    """Pooled to 4 channels: 4·10 weights and 10 biases."""
    *_, head = convolutions(
        net(
            {"op": "conv", "out": 4, "kernel": 3, "stride": 1},
            {"op": "global_pool"},
            {"op": "linear", "out": 10},
        )
    )
    assert head == Convolution(inputs=4, outputs=10, macs=40, parameters=50)


def test_a_basic_block_projects_its_shortcut_where_the_shape_changes():
    """Stage of two, 8 → 16 channels at stride 2: (3×3, 3×3, 1×1) and then (3×3, 3×3)."""
    layers = convolutions(
        net({"op": "basic", "out": 16, "stride": 2, "repeat": 2}, image=(8, 8, 8)),
    )
    weights = [9 * 8 * 16, 9 * 16 * 16, 8 * 16, 9 * 16 * 16, 9 * 16 * 16]
    assert [x.macs for x in layers] == [w * 16 for w in weights]
    assert [x.parameters for x in layers] == [w + 32 for w in weights]


def test_a_block_of_the_same_shape_has_no_projection():
    assert len(convolutions(net({"op": "basic", "out": 8, "stride": 1, "repeat": 1}, image=(8, 8, 8)))) == 2


def test_a_bottleneck_strides_in_its_middle():
    """1×1 to 4 at 8×8, 3×3 to 4×4, 1×1 to 16; projection 8 → 16 at stride 2."""
    layers = convolutions(
        net({"op": "bottleneck", "inner": 4, "out": 16, "stride": 2, "repeat": 1}, image=(8, 8, 8))
    )
    assert [x.macs for x in layers] == [8 * 4 * 64, 9 * 4 * 4 * 16, 4 * 16 * 16, 8 * 16 * 16]


def test_an_inverted_residual_filters_each_channel_by_itself():
    """Six times 8 channels, a depthwise 3×3 of 48·9 weights, down to 16; without expansion two layers."""
    wide = convolutions(
        net({"op": "inverted_residual", "expand": 6, "out": 16, "stride": 2, "repeat": 1}, image=(8, 8, 8))
    )
    assert [x.macs for x in wide] == [8 * 48 * 64, 48 * 9 * 16, 48 * 16 * 16]
    flat = convolutions(
        net({"op": "inverted_residual", "expand": 1, "out": 16, "stride": 1, "repeat": 1}, image=(8, 8, 8))
    )
    assert [x.macs for x in flat] == [8 * 9 * 64, 8 * 16 * 64]


def test_traffic_is_each_output_written_and_read():
    """Outputs 64 and 10 elements of 2 B, written and read, for 3 samples; weights (116 + 650)·2 B once."""
    small = net({"op": "conv", "out": 4, "kernel": 3, "stride": 2}, {"op": "linear", "out": 10})
    work = forward(small, FP16, 3.0)
    assert parameters(small) == 116 + 650
    assert work.flops == 3 * 2 * (1728 + 640)
    assert work.weights == 2 * 766
    assert work.activations == 3 * 2 * 2 * 74
    assert work.padded(8) == work.flops, "convolutions are not padded"


# torchvision's model documentation: parameters, and GMAC of convolution and linear layers; a fused
# multiply-add is two FLOP here. timm's benchmark tables: millions of output elements of those layers.
PUBLISHED = {
    "ResNet18": (11_689_512, 1.814, 2.48),
    "ResNet50": (25_557_032, 4.089, 11.11),
    "ResNet152": (60_192_808, 11.514, 22.56),
    "MobileNetV2": (3_504_872, 0.301, 6.68),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_counts_come_out(name):
    params, gmacs, mega_outputs = PUBLISHED[name]
    model = getattr(Models, name)
    assert parameters(model) == params
    assert forward(model, FP16, 1.0).flops / 2e9 == pytest.approx(gmacs, rel=2e-3)
    assert sum(x.outputs for x in convolutions(model)) / 1e6 == pytest.approx(mega_outputs, abs=0.006)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([], "layers must hold at least one operation"),
        ([{"op": "conv", "out": 4, "kernel": 3}], "layers[0] (conv) needs stride"),
        ([{"op": "global_pool", "stride": 1}], "layers[0] (global_pool) does not take stride"),
        ([{"op": "convv", "out": 4}], "layers[0] has op 'convv'. Did you mean 'conv'"),
        ([{"op": "linear", "out": 0}], "layers[0] (linear): arguments must be whole positive numbers"),
        ([{"op": "linear", "out": True}], "layers[0] (linear): arguments must be whole positive numbers"),
        ([{"op": "linear", "out": 1.5}], "layers[0] (linear): arguments must be whole positive numbers"),
        (["linear"], "layers[0]"),
        (5, "layers"),
    ],
)
def test_a_wrong_layer_is_named(layers, said):
    with pytest.raises(SpecError) as caught:
        ConvNet(name="net", input=(3, 8, 8), layers=layers)
    assert str(caught.value).startswith("ConvNet 'net': ")
    assert said in str(caught.value)


@pytest.mark.parametrize("image", [(3, 8), (3, 8, 0), (3, 8, 8.0), (3, True, 8), "3x8x8", 5])
def test_a_wrong_image_is_refused(image):
    with pytest.raises(SpecError, match=r"input must be \(channels, height, width\)"):
        net({"op": "global_pool"}, image=image)


def test_a_net_that_computes_nothing_is_refused():
    with pytest.raises(SpecError, match="layers"):
        net({"op": "maxpool", "kernel": 2, "stride": 2}, {"op": "global_pool"})

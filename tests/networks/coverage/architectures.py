# SPDX-License-Identifier: Apache-2.0
"""The architectures that coverage.py exports: what makes them, what they take, and what of their inputs may stay open."""
import dataclasses
import importlib
import typing

import torch

import handwritten


@dataclasses.dataclass
class Architecture:
    group: str
    make: typing.Callable[[], torch.nn.Module]
    shapes: tuple  # of each input
    open_size: bool = False  # height and width, or the length, may stay open besides the batch
    open_batch: bool = True
    adapt: typing.Callable = None  # makes the inputs from random ones in -1..1
    calibrate: bool = False  # scales each layer's weights so that its output spreads by 1
    exporters: tuple = ("torchscript", "dynamo")


ALL = {}


def add(name, group, make, *shapes, **options):
    assert name not in ALL, name
    ALL[name] = Architecture(group, make, shapes, **options)


# --- torchvision ---

class Outputs(torch.nn.Module):
    """The tensors of a dictionary, or of a list of them, in its order."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        outputs = self.module(*inputs)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        flat = []
        for output in outputs:
            flat += list(output.values()) if isinstance(output, dict) else [output]
        return tuple(flat)


class Detector(Outputs):
    """Takes one image without a batch, as torchvision's detectors do."""

    def forward(self, image):
        return tuple(self.module([image])[0].values())


def tv(name, folder="torchvision.models", **options):
    def make():
        return importlib.import_module(folder).get_model(name, weights=None, **options)
    return make


def segmenter(name):
    return lambda: Outputs(tv(name, weights_backbone=None, num_classes=5)())


def detector(name, **options):
    return lambda: Detector(tv(name, weights_backbone=None, num_classes=6, **options)())


def calibrate(module, inputs):
    """Else the scores of a detector with random weights are all 0 or all 1, and which boxes are kept is rounding."""
    def scale(layer, _, output):
        spread = output.std()
        if output.numel() > 1 and spread > 0:
            layer.weight.data /= spread
            if layer.bias is not None:
                layer.bias.data /= spread
            return output / spread
        return output

    hooks = [layer.register_forward_hook(scale) for layer in module.modules() if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))]
    with torch.no_grad():
        module(*inputs)
    for hook in hooks:
        hook.remove()


for name in ("alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121", "googlenet",
             "squeezenet1_0", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "shufflenet_v2_x0_5",
             "efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "regnet_x_400mf", "convnext_tiny"):
    options = {"init_weights": False} if name in ("googlenet",) else {}
    size = 224 if name in ("alexnet", "vgg11_bn") else 128  # their adaptive pooling is exported where it divides
    add(f"tv_{name}", "classification", tv(name, **options), (1, 3, size, size), open_size=True)
add("tv_inception_v3", "classification", tv("inception_v3", init_weights=False), (1, 3, 160, 160), open_size=True)
add("tv_vit_b_32", "hybrid or transformer", tv("vit_b_32"), (1, 3, 224, 224))
add("tv_swin_t", "hybrid or transformer", tv("swin_t"), (1, 3, 224, 224))
add("tv_swin_v2_t", "hybrid or transformer", tv("swin_v2_t"), (1, 3, 256, 256))
add("tv_maxvit_t", "hybrid or transformer", tv("maxvit_t"), (1, 3, 224, 224))

for name in ("fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
    add(f"tv_{name}", "segmentation", segmenter(name), (1, 3, 129, 160), open_size=True)

for name in ("r3d_18", "mc3_18", "r2plus1d_18", "s3d"):
    size = (1, 3, 16, 224, 224) if name == "s3d" else (1, 3, 8, 64, 64)
    add(f"tv_{name}", "video", tv(name), size)
add("tv_mvit_v1_b", "video", tv("mvit_v1_b"), (1, 3, 16, 224, 224), open_batch=False)
add("tv_swin3d_t", "video", tv("swin3d_t"), (1, 3, 8, 64, 64), open_batch=False)


class RaftSteps(torch.nn.Module):
    """The last of three refinements."""

    def __init__(self, name):
        super().__init__()
        self.module = tv(name)()

    def forward(self, a, b):
        return self.module(a, b, num_flow_updates=3)[-1]


for name in ("raft_small", "raft_large"):
    add(f"tv_{name}", "optical flow", lambda name=name: RaftSteps(name), (1, 3, 128, 128), (1, 3, 128, 128), open_batch=False)


SMALL = {"min_size": 160, "max_size": 192}
TWO_STAGES = {**SMALL, "box_score_thresh": 0.0, "box_detections_per_img": 10, "rpn_post_nms_top_n_test": 40, "rpn_pre_nms_top_n_test": 100}
ONE_STAGE = {"score_thresh": 0.0, "detections_per_img": 10, "topk_candidates": 60}
for name, options in (("fasterrcnn_resnet50_fpn", TWO_STAGES), ("fasterrcnn_mobilenet_v3_large_320_fpn", TWO_STAGES),
                      ("maskrcnn_resnet50_fpn", TWO_STAGES), ("keypointrcnn_resnet50_fpn", TWO_STAGES),
                      ("retinanet_resnet50_fpn", {**SMALL, **ONE_STAGE}), ("fcos_resnet50_fpn", {**SMALL, **ONE_STAGE}),
                      ("ssd300_vgg16", ONE_STAGE), ("ssdlite320_mobilenet_v3_large", ONE_STAGE)):
    add(f"tv_{name}", "detection", detector(name, **options), (3, 160, 192), open_batch=False, adapt=lambda x: (x + 1) / 2, calibrate=True)


# --- timm ---

def timm_model(name):
    def make():
        import timm
        timm.layers.set_exportable(True)
        return timm.create_model(name, pretrained=False)
    return make


CONVOLUTIONAL = """resnet26d resnext26ts seresnext26d_32x4d res2net50_14w_8s resnest14d regnetx_002 regnety_002 efficientnet_lite0
    tf_efficientnet_b0 tf_efficientnetv2_b0 tf_efficientnet_cc_b0_4e mixnet_s tf_mixnet_s mobilenetv3_small_050 mobilenetv4_conv_small
    mobileone_s0 mnasnet_small fbnetc_100 fbnetv3_b ghostnet_100 ghostnetv2_100 hardcorenas_a lcnet_050 tinynet_e semnasnet_075
    spnasnet_100 rexnet_100 repvgg_a0 repghostnet_050 repvit_m0_9 dla34 dpn48b nf_regnet_b0 eca_nfnet_l0 hrnet_w18_small
    inception_v4 inception_next_atto xception41 ese_vovnet19b_dw cspresnet50 cspdarknet53 darknet17 selecsls42b skresnet18
    legacy_seresnet18 gernet_s convnext_atto convnextv2_atto edgenext_xx_small fasternet_t0 focalnet_tiny_srf hgnetv2_b0 mambaout_femto
    poolformer_s12 starnet_s1 gcresnext26ts resnetv2_50d_evos resnetblur18 tresnet_m ecaresnet26t cs3darknet_s rdnet_tiny efficientvit_b0
    mobilenet_edgetpu_v2_xs resnet10t test_resnet test_efficientnet test_byobnet densenetblur121d mobilenetv4_hybrid_medium""".split()
FIXED = """coat_lite_tiny:224 coatnet_pico_rw_224:224 crossvit_tiny_240:240 convit_tiny:224 deit_tiny_patch16_224:224 vit_tiny_patch16_224:224
    vit_tiny_r_s16_p8_224:224 swin_tiny_patch4_window7_224:224 swinv2_tiny_window8_256:256 maxvit_pico_rw_256:256
    maxxvit_rmlp_nano_rw_256:256 mobilevit_xxs:256 mobilevitv2_050:256 efficientformer_l1:224 efficientformerv2_s0:224 fastvit_t8:256
    gcvit_xxtiny:224 mixer_s32_224:224 resmlp_12_224:224 levit_128s:224 mvitv2_tiny:224 nest_tiny:224 nextvit_small:224 pit_ti_224:224
    pvt_v2_b0:224 sequencer2d_s:224 tiny_vit_5m_224:224 twins_pcpvt_small:224 visformer_tiny:224 volo_d1_224:224 xcit_nano_12_p16_224:224
    davit_tiny:224 cait_xxs24_224:224 halonet26t:256 botnet26t_256:256 lambda_resnet26t:256 bat_resnext26ts:256 eca_botnext26ts_256:256
    eva02_tiny_patch14_224:224 hiera_tiny_224:224 vit_wee_patch16_reg1_gap_256:256 swiftformer_xs:224 efficientvit_m0:224 shvit_s1:224
    gmlp_ti16_224:224 vitamin_small_224:224""".split()
for name in CONVOLUTIONAL:
    add(name, "classification", timm_model(name), (1, 3, 128, 128), open_size=True)
for entry in FIXED:
    name, size = entry.split(":")
    add(name, "hybrid or transformer", timm_model(name), (1, 3, int(size), int(size)))


# --- by hand ---

def unet():
    import make
    return make.UNet(base=16)


add("unet", "segmentation", unet, (1, 3, 96, 96), open_size=True)
add("style_transfer", "style transfer", handwritten.StyleTransfer, (1, 3, 96, 96), open_size=True)
add("super_resolution", "super-resolution", handwritten.SuperResolution, (1, 3, 48, 48), open_size=True)
add("crnn_lstm", "text", handwritten.CRNN, (1, 1, 32, 128))
add("conv_gru", "audio", handwritten.ConvGRU, (1, 1, 96, 64))
add("conformer", "audio", handwritten.Conformer, (1, 160, 80))
add("stft_classifier", "audio", handwritten.Spectrogram, (1, 8000))
add("diffusion_unet", "diffusion", handwritten.DiffusionUNet, (1, 3, 32, 32), (1,), adapt=lambda x: x if x.ndim > 1 else (x + 1) * 500)
add("spatial_transformer", "spatial transformer", handwritten.SpatialTransformer, (1, 1, 28, 28))
add("deformable", "deformable convolution", handwritten.DeformableNet, (1, 3, 64, 64))
add("unet_3d", "volumes", handwritten.UNet3D, (1, 1, 16, 32, 32))
add("condconv", "computed kernels", handwritten.CondConv, (2, 3, 32, 32))
add("style_generator", "computed kernels", handwritten.StyleGenerator, (2, 32))
add("anchor_free_nms", "detection", handwritten.DetectionHead, (1, 3, 96, 128), open_batch=False)
add("circular_unfold", "padding modes", handwritten.CircularNet, (1, 3, 30, 34))

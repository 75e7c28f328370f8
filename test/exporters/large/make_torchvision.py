"""torchvision's architectures at random initialisation, small images, by the TorchScript exporter.

Debian: apt-get install python3-torch python3-torchvision; /usr/bin/python3 make_torchvision.py FOLDER
BatchNorm keeps its place (the exporter is told not to fold it), so that the file's parameters are
the network's.
"""
import sys

import torch
import torchvision.models as models

from store import OUTPUTS, store

SIZES = {
    'resnet18': 64, 'mobilenet_v3_small': 64, 'efficientnet_b0': 64, 'convnext_tiny': 64,
    'vit_b_16': 32, 'swin_t': 64,
}


def export(net, inputs, path):
    norms = any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    # swin_t calls dropout (of nothing) in training mode, which only EVAL takes out.
    mode = torch.onnx.TrainingMode.PRESERVE if norms else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(
        net, tuple(inputs), path, opset_version=16, input_names=['image'], output_names=['logits'],
        training=mode, dynamic_axes={'image': {0: 'batch'}, 'logits': {0: 'batch'}})


for name in sys.argv[2:] or SIZES:
    torch.manual_seed(0)
    size = SIZES[name]
    more = {'image_size': size} if name.startswith('vit') else {}
    net = getattr(models, name)(num_classes=OUTPUTS, **more).eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
        for name_, p in net.named_parameters():
            # A head or a layer scale that starts at (almost) nothing would hide what lies before.
            if float(p.abs().max()) < 1e-3 and p.ndim > 1:
                p.normal_(0, 0.05)
    store(name, net, [torch.randn(2, 3, size, size)], export)

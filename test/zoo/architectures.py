"""The architectures: real ones at their own size, and the same code scaled down for every test run."""
import functools

import torch
from torch import nn

# torchvision's Python code registers shapes for two operators of its compiled part, which does not
# load together with the CPU build of PyTorch and is not needed here.
_library = torch.library.Library('torchvision', 'DEF')
for _name in ('nms', 'qnms'):
    _library.define(f'{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')

import torchvision.models as tv  # noqa: E402
import transformers as hf  # noqa: E402
from torchvision.models.convnext import CNBlockConfig  # noqa: E402
from torchvision.models.efficientnet import MBConvConfig  # noqa: E402
from torchvision.models.mobilenetv3 import InvertedResidualConfig  # noqa: E402
from torchvision.models.resnet import BasicBlock, Bottleneck  # noqa: E402
from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2  # noqa: E402


class Picked(nn.Module):
    """A model of transformers as a plain function of its tensors."""

    def __init__(self, model, pick):
        super().__init__()
        self.model, self.pick = model, pick

    def forward(self, ids, mask=None):
        more = {} if mask is None else {'attention_mask': mask}
        return self.pick(self.model(input_ids=ids, **more))


class SmallResNet(nn.Module):
    """torchvision's stem and blocks at a width that it offers no argument for."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
                                  nn.MaxPool2d(3, 2, 1))
        self.basic = BasicBlock(8, 8)
        down = nn.Sequential(nn.Conv2d(8, 24, 1, 2, bias=False), nn.BatchNorm2d(24))
        self.bottleneck = Bottleneck(8, 6, 2, down, norm_layer=nn.BatchNorm2d)
        self.bottleneck.conv3, self.bottleneck.bn3 = nn.Conv2d(6, 24, 1, bias=False), nn.BatchNorm2d(24)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(24, 10)

    def forward(self, x):
        return self.fc(self.pool(self.bottleneck(self.basic(self.stem(x)))).flatten(1))


def logits(result):
    return result.logits


def last_logits(result):
    return result.logits[:, -1, :10]


def images(size, samples=2):
    return lambda: (torch.randn(samples, 3, size, size),)


def texts(length, vocabulary, samples=2, mask=False):
    def make():
        ids = torch.randint(vocabulary, (samples, length))
        if not mask:
            return (ids,)
        kept = torch.ones(samples, length, dtype=torch.int64)
        kept[1, length - length // 3:] = 0
        return ids, kept
    return make


def named(name, **options):
    return lambda: tv.get_model(name, weights=None, num_classes=10, **options)


def bert(**options):
    config = hf.BertConfig(num_labels=10, attn_implementation='sdpa', **options)
    return lambda: Picked(hf.BertForSequenceClassification(config), logits)


def gpt2(**options):
    config = hf.GPT2Config(use_cache=False, **options)
    return lambda: Picked(hf.GPT2LMHeadModel(config), last_logits)


def llama(**options):
    config = hf.LlamaConfig(use_cache=False, **options)
    return lambda: Picked(hf.LlamaForCausalLM(config), last_logits)


def mobile(*settings):
    make = functools.partial(InvertedResidualConfig, width_mult=1)
    return lambda: tv.MobileNetV3([make(*s) for s in settings], last_channel=32, num_classes=10)


# name: (network, inputs)
LARGE = {
    'resnet18': (named('resnet18'), images(64)),
    'mobilenet_v3_small': (named('mobilenet_v3_small'), images(64)),
    'efficientnet_b0': (named('efficientnet_b0'), images(64)),
    'convnext_tiny': (named('convnext_tiny'), images(64)),
    'vit_b_16': (named('vit_b_16', image_size=64), images(64)),
    'swin_t': (named('swin_t'), images(64)),
    'bert': (bert(num_hidden_layers=4, hidden_size=256, num_attention_heads=4, intermediate_size=1024,
                  vocab_size=2000), texts(24, 2000, mask=True)),
    'gpt2': (gpt2(n_layer=4, n_embd=256, n_head=4, vocab_size=2000, n_positions=64),
             texts(24, 2000, mask=True)),
    'llama': (llama(num_hidden_layers=4, hidden_size=256, num_attention_heads=4, num_key_value_heads=2,
                    intermediate_size=512, vocab_size=2000), texts(24, 2000)),
}

SMALL = {
    'resnet_small': (SmallResNet, images(32, 3)),
    'mobilenet_small': (
        mobile((8, 3, 8, 8, True, 'RE', 2, 1), (8, 3, 16, 12, False, 'RE', 2, 1),
               (12, 5, 24, 12, True, 'HS', 1, 1)), images(32, 3)),
    'efficientnet_small': (
        lambda: tv.EfficientNet([MBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(4, 5, 2, 8, 12, 2)],
                                dropout=0.2, last_channel=32, num_classes=10), images(24, 3)),
    'convnext_small': (
        lambda: tv.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)], num_classes=10),
        images(32, 3)),
    'vit_small': (
        lambda: tv.VisionTransformer(image_size=16, patch_size=4, num_layers=2, num_heads=2, hidden_dim=16,
                                     mlp_dim=32, num_classes=10), images(16, 3)),
    'swin_small': (
        lambda: tv.SwinTransformer([2, 2], 8, [2, 2], [2, 4], [3, 3], num_classes=10), images(20, 3)),
    'swin_v2_small': (
        lambda: tv.SwinTransformer([4, 4], 8, [2], [2], [3, 3], num_classes=10,
                                   block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2),
        images(12, 3)),
    'bert_small': (
        bert(num_hidden_layers=2, hidden_size=16, num_attention_heads=2, intermediate_size=32, vocab_size=24,
             max_position_embeddings=12), texts(9, 24, 3, mask=True)),
    'gpt2_small': (
        gpt2(n_layer=2, n_embd=16, n_head=2, vocab_size=24, n_positions=12), texts(9, 24, 3, mask=True)),
    'llama_small': (
        llama(num_hidden_layers=2, hidden_size=16, num_attention_heads=4, num_key_value_heads=2,
              intermediate_size=24, vocab_size=24, max_position_embeddings=12), texts(9, 24, 3)),
}


def has_norms(net):
    return any(isinstance(m, nn.BatchNorm2d) for m in net.modules())


def build(name, seed=0):
    """The network in evaluation mode and its inputs, the same for one seed.

    Parameters that start equal everywhere (norms, biases, layer scales) get numbers of their own, so
    that none is the twin of another; running statistics come from random inputs.
    """
    torch.manual_seed(seed)
    make, sample = (LARGE | SMALL)[name]
    net, inputs = make(), sample()
    with torch.no_grad():
        for p in net.parameters():
            if p.numel() > 1 and float(p.float().std()) < 1e-4 or p.numel() == 1:
                scale = 1 if abs(float(p.mean())) < 1e-3 and p.ndim > 1 else abs(float(p.mean()))
                p.copy_(scale + 0.2 * torch.randn(p.shape) if scale else 0.1 * torch.randn(p.shape))
        norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
        if norms:
            net.train()
            for _ in range(8):
                net(torch.randn(16, *inputs[0].shape[1:]) + 0.3)
    return net.eval(), inputs

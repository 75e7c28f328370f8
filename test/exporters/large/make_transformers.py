"""BERT- and GPT-style stacks of transformers at random initialisation, by PyTorch's default exporter.

environment/bin/pip install transformers; environment/bin/python make_transformers.py FOLDER
"""
import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from store import OUTPUTS, store

LENGTH = 8


class Logits(torch.nn.Module):
    """Ids and mask in, logits out, whatever else the model returns."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask).logits


def export(net, inputs, path):
    batch = torch.export.Dim('batch')
    torch.onnx.export(
        net, tuple(inputs), path, opset_version=20, input_names=['ids', 'mask'], output_names=['logits'],
        dynamo=True, external_data=False, verbose=False, dynamic_shapes=({0: batch}, {0: batch}))


common = dict(num_labels=OUTPUTS, pad_token_id=0)
stacks = {
    'bert': BertForSequenceClassification(BertConfig(
        vocab_size=500, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=16, **common)),
    'gpt2': GPT2ForSequenceClassification(GPT2Config(
        vocab_size=500, n_embd=64, n_layer=3, n_head=4, n_positions=16, **common)),
}
for name, net in stacks.items():
    torch.manual_seed(0)
    ids = torch.randint(1, 500, (2, LENGTH))
    store(name, Logits(net).eval(), [ids, torch.ones_like(ids)], export)

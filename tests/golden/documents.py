#!/usr/bin/env python3
"""Writes documents.safetensors: a decoder on sequences made of several documents.

    pip install torch==2.13.0 safetensors numpy
    python tests/golden/documents.py

Attention sees the keys of the query's own document only, by an explicit block-diagonal causal mask,
and F.cross_entropy leaves out the targets of -100, so that nothing here is computed as the code
under test does. The rest is generate.py's.
"""

import torch
import torch.nn.functional as F

import generate
import positions

LENGTHS = [[1, 30, 1, 1, 62, 6], [95, 1, 5]]  # tiles of attention may end anywhere


def document_starts(lengths):
    """For each position the one where its document begins, [T]."""
    ends = torch.tensor(lengths).cumsum(0)
    return torch.repeat_interleave(ends - torch.tensor(lengths), torch.tensor(lengths))


def attention(p, x, s, allowed):
    """Grouped-query attention of x [B, T, C] where allowed [B, T, T], and its projection."""
    frequency, _ = positions.rope_frequencies(s, x.shape[1])
    q, k, v = (generate.linear(p, name, x).unflatten(-1, (-1, s["head_dim"]))
               for name in ("q_proj", "k_proj", "v_proj"))
    q, k = positions.rope(q, frequency), positions.rope(k, frequency)
    mixed = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2),
                                           attn_mask=allowed[:, None], enable_gqa=True)
    return generate.linear(p, "o_proj", mixed.transpose(1, 2).flatten(2))


def decoder(p, tokens, s, allowed):
    """Logits [B, T, V] of tokens [B, T]."""
    x = p["model.embed_tokens.weight"][tokens]
    for layer in range(s["num_hidden_layers"]):
        part = generate.under(f"model.layers.{layer}.", p)
        normed = generate.rms_norm(x, part["input_layernorm.weight"], s["rms_norm_eps"])
        x = x + attention(generate.under("self_attn.", part), normed, s, allowed)
        normed = generate.rms_norm(x, part["post_attention_layernorm.weight"], s["rms_norm_eps"])
        x = x + generate.swiglu(generate.under("mlp.", part), normed)
    return F.linear(generate.rms_norm(x, p["model.norm.weight"], s["rms_norm_eps"]),
                    p["lm_head.weight"])


def write_documents():
    draw, s = generate.Draw(40), generate.position_settings()
    p = draw.parameters(generate.llama_shapes(s))
    starts = torch.stack([document_starts(lengths) for lengths in LENGTHS])
    batch, time = starts.shape
    sequence = draw.ids(batch, time + 1, below=s["vocab_size"])
    tokens, targets = sequence[:, :-1], sequence[:, 1:].clone()
    # No target beyond the end of a document, and some others left out.
    targets[:, :-1][starts[:, 1:] != starts[:, :-1]] = -100
    targets[0, 40:45] = -100
    same = starts[:, :, None] == starts[:, None, :]
    allowed = same & torch.ones(time, time, dtype=torch.bool).tril()
    for weight in p.values():
        weight.requires_grad_()
    logits = decoder(p, tokens, s, allowed)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)
    gradients = torch.autograd.grad(loss, list(p.values()))
    generate.write("documents", {"tokens": tokens, "targets": targets, "document_starts": starts,
                                 "loss": loss.view(1)}
                   | p | {"grad." + n: g for n, g in zip(p, gradients)}, s)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fixed order of summation
    write_documents()

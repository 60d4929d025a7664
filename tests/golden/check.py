#!/usr/bin/env python3
"""Compares the golden files with other libraries' code; torch and transformers must be installed.

- The models with RoPE, every scaling included: loss, logits and all gradients of transformers'
  LlamaForCausalLM, to what float32 allows: it keeps norms and angles in float32 even in a float64
  model.
- ALiBi slopes, T5 buckets and DeBERTa's logarithmic buckets: the functions of transformers.
- Scores of Transformer-XL and DeBERTa, one head per key/value head: XLNet's and DeBERTa-v2's
  attention in transformers, which shift and gather products with every row of the table instead.
  Their models as a whole (memory, grouped heads, this decoder around them) have no counterpart.
- Row-sparse AdamW: torch's AdamW when every row has a gradient, and torch's SparseAdam without
  weight decay. SparseAdam adds eps to sqrt(v) before the bias correction, not after: it is given
  eps * sqrt(1 - beta2^t), which makes the two formulas one.
"""

import math

import torch
from safetensors.torch import load_file
from transformers import DebertaV2Config, LlamaConfig, LlamaForCausalLM, XLNetConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.deberta_v2.modeling_deberta_v2 import (
    DisentangledSelfAttention, build_relative_position, make_log_bucket_position)
from transformers.models.t5.modeling_t5 import T5Attention
from transformers.models.xlnet.modeling_xlnet import XLNetModel, XLNetRelativeAttention

import positions
from generate import (ADAMW, FOLDER, MODELS, lazy_adamw, make_adamw, model_settings,
                      position_settings, under)


def compare(what, pairs, tolerance):
    """Pairs of tensors by name: the largest difference, relative to the largest value of each."""
    worst, name = max(((a - b).abs().max().item() / b.abs().max().item(), n)
                      for n, (a, b) in pairs.items())
    print(f"{what}: {len(pairs)} tensors agree, worst relative difference {worst:.1e} in {name}")
    assert worst < tolerance


def check_llama(file, settings, tolerance):
    stored = load_file(FOLDER / f"{file}.safetensors")
    first = {n: stored[n] if stored[n].dim() == 2 else stored[n][0] for n in ("tokens", "targets")}
    model = LlamaForCausalLM(LlamaConfig(**settings)).double()
    named = dict(model.named_parameters())  # a tied head is not listed
    model.load_state_dict({n: stored[n] for n in named}, strict="lm_head.weight" in named)
    # It shifts labels itself, so it gets a token more. With dynamic scaling that one would count:
    # logits are shifted here instead.
    output = model(input_ids=first["tokens"].long())
    loss = torch.nn.functional.cross_entropy(output.logits.flatten(0, 1),
                                             first["targets"].long().flatten())
    loss.backward()
    assert set(under("grad.", stored)) == set(named)
    pairs = {"loss": (loss, stored["losses"][0] if "losses" in stored else stored["loss"][0]),
             "logits": (output.logits, stored["logits0"])}
    compare(file, pairs | {n: (p.grad, stored["grad." + n]) for n, p in named.items()}, tolerance)


def check_formulas():
    for heads in (1, 2, 3, 4, 6, 8, 12, 16):
        theirs = build_alibi_tensor(torch.ones(1, 2), heads, torch.float64)[:, 0, 1]
        assert torch.allclose(theirs, positions.alibi_slopes(heads), rtol=1e-6, atol=0)
    distance = torch.arange(300)
    for buckets, furthest in ((8, 40), (32, 128)):
        theirs = T5Attention._relative_position_bucket(-distance, False, buckets, furthest)
        assert theirs.equal(positions.t5_bucket(distance, buckets, furthest))
    for buckets, reach in ((16, 64), (8, 32), (256, 512)):
        ours = positions.deberta_row(distance, {"position_buckets": buckets,
                                                "max_relative_positions": reach})
        theirs = make_log_bucket_position(distance, buckets, reach).long()
        assert ours.equal(theirs.clamp(max=buckets - 1))  # as it clamps when it looks a row up
    print("ALiBi slopes, T5 and DeBERTa buckets agree")


def random_tensors(*shapes):
    return [torch.randn(shape, dtype=torch.float64) for shape in shapes]


def check_transformer_xl_scores(queries=13, memory=20, batch=2):
    s = position_settings(position="transformer_xl", num_key_value_heads=4)
    c, heads, dim, keys = 16, 4, 4, memory + queries
    q, k, u, v, w_r = random_tensors((batch, queries, heads, dim), (batch, keys, heads, dim),
                                     (heads, dim), (heads, dim), (heads * dim, c))
    config = XLNetConfig(vocab_size=29, d_model=c, n_head=heads, n_layer=1, d_inner=c, dropout=0.0,
                         attn_type="uni")
    layer = XLNetRelativeAttention(config).double()
    layer.r_w_bias.data, layer.r_r_bias.data = u, v
    r = XLNetModel(config).relative_positional_encoding(queries, keys).double()  # [N + 1, 1, C]
    r = (r @ w_r.T).view(keys + 1, 1, heads, dim).expand(-1, batch, -1, -1)
    future = (positions.distances(queries, keys) < 0).double()[:, :, None, None]
    _, theirs = layer.rel_attn_core(q.transpose(0, 1), k.transpose(0, 1), k.transpose(0, 1), r,
                                    attn_mask=future, output_attentions=True)
    ours = positions.scores({"r_w_bias": u, "r_r_bias": v, "r_proj.weight": w_r}, q, k, s)
    ours = ours.masked_fill(future[:, :, 0, 0].bool(), -math.inf).softmax(dim=-1)
    compare("Transformer-XL", {"probabilities": (theirs.permute(2, 3, 0, 1), ours)}, 1e-5)


def check_deberta_scores(changes, time=101, batch=2):
    s = position_settings(**changes | {"num_key_value_heads": 4})
    c, heads, dim = 16, 4, 4
    rows = positions.shapes(s)["model.rel_embeddings.weight"][0]
    q, k, table, w_k, w_q = random_tensors((batch, time, heads, dim), (batch, time, heads, dim),
                                           (rows, c), (heads * dim, c), (heads * dim, c))
    layer = DisentangledSelfAttention(DebertaV2Config(
        hidden_size=c, num_attention_heads=heads, relative_attention=True, hidden_dropout_prob=0.0,
        pos_att_type=["c2p", "p2c"], position_buckets=s["position_buckets"] or -1,
        max_relative_positions=s["max_relative_positions"])).double()
    layer.pos_key_proj.weight.data, layer.pos_query_proj.weight.data = w_k, w_q
    for part in (layer.pos_key_proj, layer.pos_query_proj):
        part.bias.data.zero_()
    flat_q, flat_k = (x.transpose(1, 2).flatten(0, 1) for x in (q, k))
    relative = build_relative_position(flat_q, flat_k, s["position_buckets"] or -1,
                                       s["max_relative_positions"])
    both_halves = torch.cat([torch.zeros_like(table), table])  # a causal model reads the second
    theirs = flat_q @ flat_k.transpose(1, 2) / math.sqrt(3 * dim)
    theirs = theirs + layer.disentangled_attention_bias(flat_q, flat_k, relative, both_halves, 3)
    ours = positions.scores({"rel_embeddings.weight": table, "pos_key_proj.weight": w_k,
                             "pos_query_proj.weight": w_q}, q, k, s)
    past = (positions.distances(time, time) >= 0).double()
    name = f"DeBERTa, {rows} rows"
    compare(name, {"scores": (theirs.view_as(ours) * past, ours * past)}, 1e-6)


def check_sparse_adamw():
    stored = load_file(FOLDER / "adamw_sparse.safetensors")
    p0, g, touched = stored["p0"].double(), stored["g"].double(), stored["touched"]
    (everywhere,) = random_tensors(g.shape)
    p = p0.clone().requires_grad_()
    dense = make_adamw([p])
    for gradient in everywhere:
        p.grad = gradient
        dense.step()
    ours = lazy_adamw(p0, everywhere, torch.ones_like(touched), ADAMW)
    theirs = (p.detach(), dense.state[p]["exp_avg"], dense.state[p]["exp_avg_sq"])
    compare("AdamW, every row", dict(zip("pmv", zip(theirs, ours))), 1e-12)

    p = p0.clone().requires_grad_()
    sparse = torch.optim.SparseAdam([p], lr=ADAMW["lr"], betas=(ADAMW["beta1"], ADAMW["beta2"]))
    for t, (gradient, rows) in enumerate(zip(g, touched.bool()), start=1):
        sparse.param_groups[0]["eps"] = ADAMW["eps"] * math.sqrt(1 - ADAMW["beta2"] ** t)
        p.grad = torch.sparse_coo_tensor(rows.nonzero().T, gradient[rows], gradient.shape,
                                         check_invariants=True)
        sparse.step()
    ours = lazy_adamw(p0, g, touched, ADAMW | {"weight_decay": 0.0})
    theirs = (p.detach(), sparse.state[p]["exp_avg"], sparse.state[p]["exp_avg_sq"])
    compare("SparseAdam", dict(zip("pmv", zip(theirs, ours))), 1e-12)


torch.manual_seed(0)
for model, changes in MODELS.items():
    check_llama(model, model_settings(**changes), 1e-5)
for model, changes in positions.MODELS.items():
    if changes["position"] == "rope":
        check_llama(model, position_settings(**changes), 1e-5)
    if changes["position"] == "deberta":
        check_deberta_scores(changes)
check_formulas()
check_transformer_xl_scores()
check_sparse_adamw()

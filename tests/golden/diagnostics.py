#!/usr/bin/env python3
"""Writes tables.safetensors, statistics of tables of vectors by NumPy's SVD and by SciPy, and
diagnostics.safetensors, what goes on in a model by PyTorch.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1 safetensors
    python tests/golden/diagnostics.py

Everything in float64 of values that are exact in float32, and by definitions: pairs of rows one by
one, singular values of the table itself, centring by a matrix, a tied table as two leaves.
"""

import numpy
import torch
import torch.nn.functional as F
from scipy.spatial.distance import cdist
from scipy.stats import entropy

import generate
import positions

TOP = 10


def unit_rows(w):
    norms = numpy.linalg.norm(w, axis=1, keepdims=True)
    return numpy.divide(w, norms, where=norms != 0, out=numpy.zeros_like(w))


def mean_cosine(w):
    u = unit_rows(w[numpy.linalg.norm(w, axis=1) != 0])
    cosines = u @ u.T
    return cosines[~numpy.eye(len(u), dtype=bool)].mean()


def isotropy(w):
    directions = numpy.linalg.svd(w, full_matrices=True)[2]
    z = numpy.exp(w @ numpy.concatenate([directions, -directions]).T).sum(0)
    return z.min() / z.max()


def statistics(w, deciles):
    singular = numpy.linalg.svd(w, compute_uv=False)
    squares = singular**2 / (singular**2).sum()
    norms = numpy.linalg.norm(w, axis=1)
    return {
        "norms": [norms[deciles == d].mean() if (deciles == d).any() else None for d in range(11)],
        "mean_norm": norms.mean(),
        "mean_vector_norm": numpy.linalg.norm(w.mean(0)),
        "mean_cosine": mean_cosine(w),
        "isotropy": isotropy(w),
        "isotropy_centred": isotropy(w - w.mean(0)),
        "effective_rank": numpy.exp(entropy(singular)),
        "singular_values": singular.tolist(),
        "top_share": squares[0],
        "top_ten_share": squares[:10].sum(),
    }


def nearest(w, row):
    distances = cdist(w[row:row + 1], w, "cosine")[0]
    distances[row] = numpy.inf
    distances[numpy.isnan(distances)] = numpy.inf
    return set(numpy.argsort(distances, kind="stable")[:TOP])


def alignment(a, b, ids):
    centre = numpy.eye(len(a)) - 1 / len(a)
    x, y = centre @ a, centre @ b
    rows = (numpy.linalg.norm(a, axis=1) != 0) & (numpy.linalg.norm(b, axis=1) != 0)
    norm = numpy.linalg.norm
    return {
        "cosine": (unit_rows(a) * unit_rows(b)).sum(1)[rows].mean(),
        "linear_cka": norm(y.T @ x)**2 / (norm(x.T @ x) * norm(y.T @ y)),
        "shared_neighbors": numpy.mean([len(nearest(a, i) & nearest(b, i)) / TOP for i in ids]),
    }


def write_tables():
    draw = generate.Draw(50)
    settings, tensors = {}, {}

    def table(rows, columns, scale):
        falling = torch.logspace(0, -1.7, columns, dtype=torch.float64)
        spread = draw.normal(rows, columns, scale=scale) * falling
        return (spread + draw.normal(columns, scale=scale / 2)).float()

    for name, rows, columns in [("tall", 120, 40), ("wide", 23, 40)]:
        counts = draw.ids(rows, below=50) - 5  # some never occur
        counts[counts < 0] = 0
        ranked = [i for i in numpy.argsort(-counts.numpy(), kind="stable") if counts[i] > 0]
        deciles = numpy.full(rows, 10)
        for rank, i in enumerate(ranked):
            deciles[i] = rank * 10 // len(ranked)
        a, b = table(rows, columns, 0.5), table(rows, columns, 1.0)
        b += a
        a[3] = 0
        tensors |= {f"{name}.counts": counts, f"{name}.a": a, f"{name}.b": b}
        a, b = a.double().numpy(), b.double().numpy()
        settings[f"{name}.a"] = statistics(a, deciles)
        settings[f"{name}.b"] = statistics(b, deciles)
        settings[f"{name}.alignment"] = alignment(a, b, ranked)

    square = draw.normal(50, 50)
    tensors["symmetric"] = square = (square + square.T).float()
    settings["symmetric"] = numpy.linalg.eigvalsh(square.double().numpy())[::-1].tolist()
    generate.write("tables", tensors, settings)


def write_model():
    """A tied decoder that adds terms of its own to the scores."""
    draw, s = generate.Draw(51), generate.position_settings(**positions.MODELS["position_tied"])
    p = draw.parameters(generate.llama_shapes(s))
    p |= {n: draw.normal(*shape, scale=0.3) for n, shape in positions.shapes(s).items()}
    sequence = draw.ids(2, 22, below=s["vocab_size"])
    tokens, targets = sequence[:, :-1], sequence[:, 1:]
    largest, scores = [], positions.scores

    def recorded(p, q, k, s):
        all_pairs = scores(p, q, k, s)
        past = positions.distances(q.shape[1], k.shape[1]) >= 0
        largest.append(all_pairs[..., past].max().item())
        return all_pairs

    positions.scores = recorded
    table = p["model.embed_tokens.weight"]
    lookup, head = table.clone().requires_grad_(), table.clone().requires_grad_()
    untied = p | {"model.embed_tokens.weight": lookup, "lm_head.weight": head}
    logits, streams = generate.decoder(untied, tokens, s | {"tie_word_embeddings": False},
                                       [None] * s["num_hidden_layers"])
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    lookup_gradient, head_gradient = torch.autograd.grad(loss, [lookup, head])
    logits = logits.detach()
    log_p = logits.log_softmax(-1)
    lens = [F.linear(generate.rms_norm(x, p["model.norm.weight"], s["rms_norm_eps"]), table)
            for x in streams]
    parts = (lookup_gradient.flatten(), head_gradient.flatten())
    l1, l2 = [g.abs().sum().item() for g in parts], [g.norm().item() for g in parts]
    generate.write("diagnostics", {"tokens": tokens, "targets": targets} | p, s | {
        "loss": loss.item(),
        "logit_mean": logits.mean().item(),
        "logit_max": logits.max().item(),
        "log_z": logits.logsumexp(-1).mean().item(),
        "entropy": -(log_p.exp() * log_p).sum(-1).mean().item(),
        "self_logit": logits.gather(-1, tokens[..., None]).mean().item(),
        "attention_max": largest,
        "lens_kl": [F.kl_div(x.log_softmax(-1), log_p, log_target=True, reduction="none")
                    .sum(-1).mean().item() for x in lens],
        "lookup": [l1[0], l2[0]],
        "head": [l1[1], l2[1]],
        "gradient_cosine": F.cosine_similarity(*parts, dim=0).item(),
    })


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fixed order of summation
    write_tables()
    write_model()

#!/usr/bin/env python3
"""Writes plane_map.safetensors, vectors and what principal axes and t-SNE make of them.

    pip install torch==2.13.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 safetensors
    python tests/golden/plane_map.py

Everything in float64, by definitions: the SVD of the centred table, a root finder for the width of
each Gaussian, PyTorch's gradient of the divergence. Before anything is written scikit-learn's own
functions must agree; its distances are float32 and its search for the width ends at 1e-5.
"""

import numpy
import torch
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.manifold import _t_sne

import generate

PERPLEXITY = 5.0


def principal(x):
    """Projections on the first two axes, the largest component of which is positive; shares."""
    u, s, axes = numpy.linalg.svd(x - x.mean(0), full_matrices=False)
    signs = [numpy.sign(axis[numpy.abs(axis).argmax()]) for axis in axes[:2]]
    return u[:, :2] * s[:2] * signs, (s[:2]**2 / (s**2).sum())


def probabilities(x):
    distances = squareform(pdist(x, "sqeuclidean"))
    rows = []
    numpy.fill_diagonal(distances, numpy.inf)
    for d in distances:
        def of(precision):
            e = numpy.exp(-precision * (d - d.min()))
            return e / e.sum()

        def difference(logarithm):
            p = of(numpy.exp(logarithm))
            return -(p[p > 0] * numpy.log(p[p > 0])).sum() - numpy.log(PERPLEXITY)

        rows.append(of(numpy.exp(brentq(difference, -20, 5, xtol=1e-14))))
    p = numpy.stack(rows)
    return (p + p.T) / (2 * len(p))


def divergence(p, y):
    near = 1 / (1 + (y[:, None] - y[None]).square().sum(-1))
    near = near * (1 - torch.eye(len(y), dtype=y.dtype))
    q = near / near.sum()
    return (p[p > 0] * (p[p > 0] / q[p > 0]).log()).sum()


draw = generate.Draw(60)
x = draw.normal(20, 6) * torch.tensor([3, 2, 1, 0.5, 0.2, 0.1]).double()
x[10:] += 2  # two groups
x = x.float().double()
y = draw.normal(20, 2)
projected, shares = principal(x.numpy())
p = probabilities(x.numpy())
leaf = y.clone().requires_grad_()
cost = divergence(torch.tensor(p), leaf)
cost.backward()

pca = PCA(2).fit(x.numpy())
assert numpy.allclose(pca.explained_variance_ratio_, shares, rtol=1e-12)
assert numpy.allclose(numpy.abs(pca.transform(x.numpy())), numpy.abs(projected), atol=1e-12)
distances = squareform(pdist(x.numpy(), "sqeuclidean"))
theirs = _t_sne._joint_probabilities(distances, PERPLEXITY, 0)
assert numpy.allclose(squareform(theirs), p, rtol=1e-3, atol=1e-7)
their_cost, gradient = _t_sne._kl_divergence(y.numpy().ravel(), squareform(p, checks=False), 1, 20, 2)
assert numpy.isclose(their_cost, cost.item(), rtol=1e-9)
assert numpy.allclose(gradient.reshape(20, 2), leaf.grad.numpy(), rtol=1e-6, atol=1e-9)

generate.write("plane_map", {"x": x, "y": y}, {
    "perplexity": PERPLEXITY, "projected": projected.tolist(), "shares": shares.tolist(),
    "probabilities": p.ravel().tolist(), "divergence": cost.item(),
    "gradient": leaf.grad.tolist()})

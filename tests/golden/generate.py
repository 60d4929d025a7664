#!/usr/bin/env python3
"""Writes the golden files of this folder: inputs, outputs and gradients of layers and whole models.

    pip install torch==2.13.0 safetensors numpy
    python tests/golden/generate.py

Inputs and weights are rounded to float32 and everything is computed in float64, so float32 code
that reads a file has exactly the inputs used here, and the answers carry no rounding but that of
storing them. Running twice gives the same bytes.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save

import positions

FOLDER = pathlib.Path(__file__).resolve().parent
ADAMW = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1}
MODELS = {
    "model_untied": {},
    "model_tied": {"tie_word_embeddings": True},
    "model_gqa": {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8,
                  "rms_norm_eps": 1e-6, "rope_theta": 500000.0},
    "model_bias": {"num_key_value_heads": 1, "tie_word_embeddings": True, "attention_bias": True,
                   "mlp_bias": True},
}
EMBEDDINGS = {
    "padding": {"padding_idx": 3},
    "padding_negative": {"padding_idx": -2},
    "max_norm_2": {"max_norm": 2.0, "norm_type": 2.0},
    "max_norm_1": {"max_norm": 8.0, "norm_type": 1.0},
    "max_norm_inf": {"max_norm": 1.0, "norm_type": math.inf},
    "max_norm_half": {"max_norm": 150.0, "norm_type": 0.5},
    "max_norm_zero": {"max_norm": 0.0},
    "max_norm_padding": {"max_norm": 2.0, "padding_idx": 3},
    "scale_grad_by_freq": {"scale_grad_by_freq": True},
    "scale_grad_by_freq_padding": {"scale_grad_by_freq": True, "padding_idx": 3},
    "sparse": {"sparse": True, "padding_idx": 3},
}


def model_settings(**changes):
    return {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 6, "vocab_size": 37,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False,
            "attention_bias": False, "mlp_bias": False} | changes


def position_settings(**changes):
    return model_settings(hidden_size=16, intermediate_size=24, num_key_value_heads=2, head_dim=4,
                          vocab_size=29, max_position_embeddings=128, embedding_scale="none",
                          embedding_norm=False) | changes


# ---- The model: functions over named tensors. B batch, T time, C hidden, D head_dim. ----

def under(prefix, named):
    """The entries whose names start with prefix, without it."""
    return {n.removeprefix(prefix): value for n, value in named.items() if n.startswith(prefix)}


def linear(p, name, x):
    return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))


def rms_norm(x, weight, eps):
    return weight * x / torch.sqrt(x.square().mean(dim=-1, keepdim=True) + eps)


def attention(p, x, s, queries=None):
    """Causal grouped-query attention of x [B, T, C], for the last `queries` positions (all unless
    given), and its output projection, no residual."""
    heads, kv_heads, dim = s["num_attention_heads"], s["num_key_value_heads"], s["head_dim"]
    batch, time, _ = x.shape
    queries = queries or time
    q = linear(p, "q_proj", x[:, time - queries:]).view(batch, queries, heads, dim)
    k = linear(p, "k_proj", x).view(batch, time, kv_heads, dim)
    v = linear(p, "v_proj", x).view(batch, time, kv_heads, dim)
    future = positions.distances(queries, time) < 0
    scores = positions.scores(p, q, k, s).masked_fill(future, -math.inf)
    mixed = torch.einsum("bhij,bjhd->bihd", scores.softmax(dim=-1), positions.per_head(v, s))
    return linear(p, "o_proj", mixed.reshape(batch, queries, heads * dim))


def swiglu(p, x):
    gate = linear(p, "gate_proj", x)
    return linear(p, "down_proj", gate * gate.sigmoid() * linear(p, "up_proj", x))


def block(p, x, s, shared={}, memory=None):
    """Adds attention and MLP to x [B, T, C]. Memory [B, M, C] are inputs x of the same block that
    came before: normalised with x and attended to. Shared: parameters that all blocks use."""
    seen = x if memory is None else torch.cat([memory, x], dim=1)
    normed = rms_norm(seen, p["input_layernorm.weight"], s["rms_norm_eps"])
    x = x + attention(shared | under("self_attn.", p), normed, s, queries=x.shape[1])
    normed = rms_norm(x, p["post_attention_layernorm.weight"], s["rms_norm_eps"])
    return x + swiglu(under("mlp.", p), normed)


def embed(p, tokens, s):
    """What the first block reads [B, T, C]: scaled rows of the table plus absolute positions."""
    x, scale = p["model.embed_tokens.weight"][tokens], s.get("embedding_scale", "none")
    if scale != "none":
        x = x * (math.sqrt(s["hidden_size"]) if scale == "sqrt_hidden_size" else scale)
    x = x + positions.added_to_embedding(p, tokens.shape[1], s)
    if s.get("embedding_norm"):
        x = rms_norm(x, p["model.embed_norm.weight"], s["rms_norm_eps"])
    return x


def decoder(p, tokens, s, memories):
    """Logits [B, T, V] of tokens [B, T], and the input [B, T, C] of every block."""
    x, inputs = embed(p, tokens, s), []
    for layer, memory in enumerate(memories):
        inputs.append(x)
        x = block(under(f"model.layers.{layer}.", p), x, s, under("model.", p), memory)
    x = rms_norm(x, p["model.norm.weight"], s["rms_norm_eps"])
    head = "model.embed_tokens.weight" if s["tie_word_embeddings"] else "lm_head.weight"
    return F.linear(x, p[head]), inputs


def llama(p, tokens, s):
    """Logits [B, T, V] of tokens [B, T]."""
    return decoder(p, tokens, s, [None] * s["num_hidden_layers"])[0]


def llama_shapes(s):
    """Shape of every parameter, weights [out, in]."""
    c, f, v, dim = (s[k] for k in ("hidden_size", "intermediate_size", "vocab_size", "head_dim"))
    q, kv = s["num_attention_heads"] * dim, s["num_key_value_heads"] * dim
    attention_part = {"q_proj": (q, c), "k_proj": (kv, c), "v_proj": (kv, c), "o_proj": (c, q)}
    mlp_part = {"gate_proj": (f, c), "up_proj": (f, c), "down_proj": (c, f)}
    shapes = {"model.embed_tokens.weight": (v, c)}
    if s.get("embedding_norm"):
        shapes["model.embed_norm.weight"] = (c,)
    for i in range(s["num_hidden_layers"]):
        for norm, part, bias, matrices in (
                ("input_layernorm", "self_attn", s["attention_bias"], attention_part),
                ("post_attention_layernorm", "mlp", s["mlp_bias"], mlp_part)):
            shapes[f"model.layers.{i}.{norm}.weight"] = (c,)
            for name, shape in matrices.items():
                shapes[f"model.layers.{i}.{part}.{name}.weight"] = shape
                if bias:
                    shapes[f"model.layers.{i}.{part}.{name}.bias"] = shape[:1]
    shapes["model.norm.weight"] = (c,)
    return shapes if s["tie_word_embeddings"] else shapes | {"lm_head.weight": (v, c)}


def row_losses(logits, targets):
    """Natural-log cross entropy of every row, [B*T]."""
    picked = logits.gather(-1, targets[..., None])[..., 0]
    return (logits.logsumexp(dim=-1) - picked).flatten()


# ---- Drawing inputs, writing files. ----

class Draw:
    """Random float64 values exactly representable in float32; every file has its own seed."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape, scale=1.0, center=0.0):
        # Drawn in float64: float32 draws differ between instruction sets.
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        return (center + scale * drawn).float().double()

    def ids(self, *shape, below):
        return torch.randint(below, shape, generator=self.generator)

    def parameters(self, shapes):
        """Norms near 1, matrices N(0, 0.2), biases N(0, 0.1): large enough to all count."""
        return {name: self.normal(*shape, scale=0.1 if name.endswith("bias") else 0.2,
                                  center=1.0 if "norm" in name else 0.0)
                for name, shape in shapes.items()}


def write(name, tensors, settings={}):
    """Floats as F32, integers as I32, settings as strings in __metadata__."""
    stored = {n: t.detach().to(torch.float32 if t.is_floating_point() else torch.int32).contiguous()
              for n, t in tensors.items()}
    data = save(stored, {"format": "pt"} | {k: json.dumps(v) for k, v in settings.items()})
    # The library writes metadata in an order that changes from run to run: sort it in place.
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode().ljust(end - 8)
    assert len(text) == end - 8
    (FOLDER / f"{name}.safetensors").write_bytes(data[:8] + text + data[end:])


def write_layer(name, function, inputs, dout, others={}, settings={}):
    """Writes inputs, others, y = function(inputs), dout and each "d<input>" of sum(y * dout)."""
    leaves = {n: value.clone().requires_grad_() for n, value in inputs.items()}
    y = function(leaves)
    gradients = torch.autograd.grad(y, list(leaves.values()), dout)
    answers = {"dout": dout, "y": y} | {"d" + n: g for n, g in zip(leaves, gradients)}
    write(name, inputs | others | answers, settings)


def write_small_layers():
    draw = Draw(1)
    inputs = {"x": draw.normal(2, 5, 24), "weight": draw.normal(40, 24, scale=0.2),
              "bias": draw.normal(40, scale=0.1)}
    residual = draw.normal(2, 5, 40)
    write_layer("linear", lambda p: F.linear(p["x"], p["weight"], p["bias"]) + residual, inputs,
                draw.normal(2, 5, 40), {"residual": residual})

    draw = Draw(2)
    row_size = torch.tensor([1, 10, 0.1, 1e-4, 3, 1, 0.01, 100, 0.5, 1]).view(2, 5, 1)
    inputs = {"x": (draw.normal(2, 5, 24) * row_size).float().double(),  # at 1e-4 eps decides
              "weight": draw.normal(24, scale=0.2, center=1.0)}
    write_layer("rms_norm", lambda p: rms_norm(p["x"], p["weight"], 1e-5), inputs,
                draw.normal(2, 5, 24), settings={"eps": 1e-5})

    draw = Draw(3)
    ids = torch.tensor([[0, 7, 3, 7, 10, 3], [7, 1, 0, 3, 5, 5]])
    write_layer("embedding", lambda p: F.embedding(ids, p["weight"], padding_idx=3),
                {"weight": draw.normal(11, 24)}, draw.normal(2, 6, 24), {"ids": ids},
                {"padding_idx": 3})

    draw = Draw(4)
    x = draw.normal(2, 7, 3, 8)
    frequency, _ = positions.rope_frequencies({"head_dim": 8, "rope_theta": 10000.0}, time=7)
    write_layer("rope", lambda p: positions.rope(p["x"], frequency), {"x": x},
                draw.normal(2, 7, 3, 8),
                {"y_offset": positions.rope(x, frequency, first_position=5)},
                {"theta": 10000.0, "offset": 5})

    draw = Draw(5)
    x, weight = draw.normal(2, 5, 24), draw.normal(37, 24, scale=0.2)
    targets = draw.ids(2, 5, below=37)
    losses = row_losses(F.linear(x.requires_grad_(), weight.requires_grad_()), targets)
    dx, dweight = torch.autograd.grad(losses.mean(), [x, weight])
    write("head_loss", {"x": x, "weight": weight, "targets": targets, "losses": losses,
                        "loss": losses.mean().view(1), "dx": dx, "dweight": dweight})


def write_embedding_options():
    """Every argument of torch.nn.Embedding, each by the module itself."""
    draw = Draw(15)
    ids = torch.tensor([[0, 7, 3, 7, 9, 3], [7, 1, 9, 3, 5, 7]])
    row_size = torch.tensor([0.1, 2, 1, 0.9, 0.05, 0.2, 2, 0.7, 0.1, 1.5, 0.3]).view(11, 1)
    weight = (draw.normal(11, 24) * row_size).float().double()
    dout = draw.normal(2, 6, 24)
    tensors, settings = {"ids": ids, "weight": weight, "dout": dout}, {}
    for name, arguments in EMBEDDINGS.items():
        layer = torch.nn.Embedding.from_pretrained(weight.clone(), freeze=False, **arguments)
        y = layer(ids)
        y.backward(dout)
        gradient = layer.weight.grad
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            tensors[name + ".rows"] = gradient.indices()[0]
            gradient = gradient.to_dense()
        tensors |= {name + ".y": y, name + ".dweight": gradient,
                    name + ".weight_after": layer.weight}
        settings[name] = {k: "inf" if v == math.inf else v for k, v in arguments.items()}
    write("embedding_options", tensors, settings)


def write_block_and_parts():
    attention_keys = ("num_attention_heads", "num_key_value_heads", "head_dim", "rope_theta")
    grouped = {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4}
    biased = {"attention_bias": True, "mlp_bias": True}
    layer = "model.layers.0."
    for name, part, seed, time, changes, keys in (
            ("attention", "self_attn.", 6, 13, {}, attention_keys),
            ("attention_bias", "self_attn.", 7, 13, grouped | biased, attention_keys),
            ("swiglu", "mlp.", 8, 5, biased, ()),
            ("block", "", 9, 7, grouped, attention_keys + ("rms_norm_eps",))):
        draw, s = Draw(seed), model_settings(**changes)
        inputs = {"x": draw.normal(2, time, 24)}
        inputs |= draw.parameters(under(layer + part, llama_shapes(s)))
        residual = draw.normal(2, time, 24)
        function = {"self_attn.": lambda p: residual + attention(p, p["x"], s),
                    "mlp.": lambda p: residual + swiglu(p, p["x"]),
                    "": lambda p: block(p, p["x"], s)}[part]
        write_layer(name, function, inputs, draw.normal(2, time, 24),
                    {"residual": residual} if part else {}, {k: s[k] for k in keys})


def make_adamw(groups):
    return torch.optim.AdamW(groups, lr=ADAMW["lr"], betas=(ADAMW["beta1"], ADAMW["beta2"]),
                             eps=ADAMW["eps"], weight_decay=ADAMW["weight_decay"])


def write_adamw():
    draw = Draw(10)
    p = draw.normal(50)
    size = torch.logspace(-9, 1, 50, dtype=torch.float64)  # the tiny ones show where eps is added
    g = (draw.normal(5, 50) * size).float().double()
    g[:2, 40:] = 0
    tensors = {"p0": p.clone(), "g": g}
    optimizer = make_adamw([p.requires_grad_()])
    for step in range(5):
        p.grad = g[step].clone()
        optimizer.step()
        tensors[f"p{step + 1}"] = p.detach().clone()
    write("adamw", tensors | {"m5": optimizer.state[p]["exp_avg"],
                              "v5": optimizer.state[p]["exp_avg_sq"]}, ADAMW)


def lazy_adamw(p, gradients, touched, s):
    """AdamW for gradients that reach some rows only, steps [S, R, ...] and touched [S, R]: a row
    without one stands still, value and moments; the bias corrections count all steps. Returns the
    last p, m and v."""
    p, m, v = p.clone(), torch.zeros_like(p), torch.zeros_like(p)
    for t, (g, rows) in enumerate(zip(gradients, touched.bool()), start=1):
        p[rows] *= 1 - s["lr"] * s["weight_decay"]
        m[rows] = s["beta1"] * m[rows] + (1 - s["beta1"]) * g[rows]
        v[rows] = s["beta2"] * v[rows] + (1 - s["beta2"]) * g[rows].square()
        m_hat, v_hat = m[rows] / (1 - s["beta1"] ** t), v[rows] / (1 - s["beta2"] ** t)
        p[rows] -= s["lr"] * m_hat / (v_hat.sqrt() + s["eps"])
    return p, m, v


def write_adamw_sparse():
    draw = Draw(16)
    p = draw.normal(7, 5)
    # Row 4 never, 6 once, 2 in all steps, 0 twice with a long rest between.
    touched = torch.tensor([[1, 0, 1, 0, 0, 1, 0], [0, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 1, 0],
                            [0, 1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 0, 1, 0], [1, 0, 1, 0, 0, 0, 0]])
    size = torch.logspace(-9, 1, 5, dtype=torch.float64)  # the tiny ones show where eps is added
    g = (draw.normal(6, 7, 5) * size * touched[..., None]).float().double()
    p6, m6, v6 = lazy_adamw(p, g, touched, ADAMW)
    write("adamw_sparse", {"p0": p, "g": g, "touched": touched, "p6": p6, "m6": m6, "v6": v6},
          ADAMW)


def write_model(name, seed, s, steps=10, batch=3, time=13, max_grad_norm=1.0):
    draw = Draw(seed)
    parameters = draw.parameters(llama_shapes(s))
    sequences = draw.ids(steps, batch, time + 1, below=s["vocab_size"])
    tokens, targets = sequences[..., :-1], sequences[..., 1:]
    tensors = {"tokens": tokens, "targets": targets} | {n: p.clone() for n, p in parameters.items()}
    weights = [p.requires_grad_() for p in parameters.values()]
    optimizer = make_adamw([{"params": [w for w in weights if w.dim() >= 2]},
                            {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0}])
    losses, norms = [], []
    for step in range(steps):
        logits = llama(parameters, tokens[step], s)
        losses.append(row_losses(logits, targets[step]).mean())
        optimizer.zero_grad()
        losses[-1].backward()
        if step == 0:
            tensors["logits0"] = logits
            tensors |= {"grad." + n: p.grad.clone() for n, p in parameters.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(weights, max_grad_norm))
        optimizer.step()
    tensors |= {"after." + n: p for n, p in parameters.items()}
    write(name, tensors | {"losses": torch.stack(losses), "grad_norm": torch.stack(norms)},
          s | ADAMW | {"max_grad_norm": max_grad_norm})


def write_position(name, seed, s, batch=2):
    """One batch; with memory three segments, each attending to states of those before it."""
    draw = Draw(seed)
    p = draw.parameters(llama_shapes(s))
    p |= {n: draw.normal(*shape, scale=0.3) for n, shape in positions.shapes(s).items()}
    length = s.get("memory_length", 0)
    segments, time = (3, 13) if length else (1, 101)
    sequence = draw.ids(batch, segments * time + 1, below=s["vocab_size"])
    tokens = sequence[:, :-1].unflatten(1, (segments, time)).transpose(0, 1)  # [segment, B, T]
    targets = sequence[:, 1:].unflatten(1, (segments, time)).transpose(0, 1)
    for weight in p.values():
        weight.requires_grad_()
    nothing = torch.zeros(batch, 0, s["hidden_size"], dtype=torch.float64)
    memories = [nothing] * s["num_hidden_layers"]
    losses = []
    for segment in range(segments):
        logits, inputs = decoder(p, tokens[segment], s, memories)
        losses.append(row_losses(logits, targets[segment]).mean())
        seen = [torch.cat(pair, dim=1) for pair in zip(memories, inputs)]
        memories = [x[:, max(0, x.shape[1] - length):].detach() for x in seen]
    gradients = torch.autograd.grad(losses[-1], list(p.values()))
    tensors = {"tokens": tokens, "targets": targets, "losses": torch.stack(losses)}
    if not length:
        tensors = {"tokens": tokens[0], "targets": targets[0], "loss": losses[0].view(1)}
    tensors |= p | {"logits0": logits} | {"grad." + n: g for n, g in zip(p, gradients)}
    write(name, tensors, s)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fixed order of summation
    write_small_layers()
    write_block_and_parts()
    write_adamw()
    write_embedding_options()
    write_adamw_sparse()
    for seed, (model, model_changes) in enumerate(MODELS.items(), start=11):
        write_model(model, seed, model_settings(**model_changes))
    for seed, (model, model_changes) in enumerate(positions.MODELS.items(), start=17):
        write_position(model, seed, position_settings(**model_changes))

"""Reference formulas of the position encodings, and the models that generate.py makes with them.

A relative encoding builds the matrix of distances i - j and gathers from it what each pair of a
query and a key needs: slow, but plain enough to check against the papers by eye.
B batch, Q queries, N keys (N - Q of them memory), H heads, K key/value heads, D head_dim, C hidden.
"""

import math

import torch

ROPE_SCALED = {"position": "rope", "head_dim": 8, "rope_theta": 100.0}  # every pair turns visibly
T5 = {"position": "t5", "relative_attention_num_buckets": 8, "relative_attention_max_distance": 40}
TRANSFORMER_XL = {"position": "transformer_xl", "memory_length": 0}
DEBERTA = {"position": "deberta", "max_relative_positions": 40, "position_buckets": 0}
MODELS = {
    "position_rope_linear": ROPE_SCALED | {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "position_rope_dynamic": ROPE_SCALED | {"max_position_embeddings": 40, "rope_scaling": {
        "rope_type": "dynamic", "factor": 2.0}},
    "position_rope_yarn": ROPE_SCALED | {"rope_scaling": {  # ramp 0, 0, 1/2, 1
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
        "beta_fast": 1.2, "beta_slow": 0.25}},
    "position_rope_llama3": ROPE_SCALED | {"rope_scaling": {  # kept, blended, divided, divided
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}},
    "position_learned": {"position": "learned"},
    "position_sinusoidal": {"position": "sinusoidal", "embedding_scale": "sqrt_hidden_size"},
    "position_alibi": {"position": "alibi", "num_attention_heads": 6, "num_key_value_heads": 3},
    "position_t5": T5 | {"relative_attention_per_layer": False},
    "position_t5_per_layer": T5 | {"relative_attention_per_layer": True},
    "position_transformer_xl": TRANSFORMER_XL,
    "position_transformer_xl_memory": TRANSFORMER_XL | {"memory_length": 20},
    "position_deberta": DEBERTA,
    "position_deberta_buckets": DEBERTA | {"max_relative_positions": 64, "position_buckets": 16},
    "position_none": {"position": "none"},
    "position_tied": TRANSFORMER_XL | {"tie_word_embeddings": True, "embedding_norm": True,
                                       "embedding_scale": 3.5},
    "position_deberta_mha": DEBERTA | {"num_key_value_heads": 4},
    "position_alibi_mqa": {"position": "alibi", "num_key_value_heads": 1},
}


def distances(queries, keys):
    """[Q, N] of i - j, the queries being the last of the keys; negative where j is ahead of i."""
    return torch.arange(keys - queries, keys)[:, None] - torch.arange(keys)


def per_head(x, s):
    """[..., K, D] as [..., H, D]: query head h uses key/value head h / (H/K)."""
    heads, kv_heads = s["num_attention_heads"], s["num_key_value_heads"]
    return x[..., torch.arange(heads) // (heads // kv_heads), :]


def products(q, k):
    """q_i . k_j [B, H, Q, N] of q [B, Q, H, D] and k [B, N, H, D]."""
    return torch.einsum("bihd,bjhd->bhij", q, k)


# ---- Absolute: added to the embedding. ----

def sinusoids(count, width):
    """Sine and cosine, each [count, width/2], of position * 10000^(-2i/width)."""
    frequency = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = torch.outer(torch.arange(count, dtype=torch.float64), frequency)
    return angle.sin(), angle.cos()


def added_to_embedding(p, time, s):
    """[T, C] to add to every sequence, or 0 for an encoding that acts in attention."""
    if s.get("position") == "learned":
        return p["model.embed_positions.weight"][:time]
    if s.get("position") == "sinusoidal":  # sine and cosine alternate
        return torch.stack(sinusoids(time, s["hidden_size"]), dim=-1).flatten(1)
    return 0


# ---- RoPE. ----

def rope(x, frequency, factor=1.0, first_position=0):
    """Rotates elements (i, i + D/2) of x [B, T, heads, D] by position * frequency[i], times factor.
    """
    half = x.shape[3] // 2
    position = first_position + torch.arange(x.shape[1], dtype=torch.float64)
    angle = torch.outer(position, frequency)[:, None, :]  # [T, 1, D/2]
    cos, sin = angle.cos() * factor, angle.sin() * factor
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def rope_frequencies(s, time):
    """Frequencies [D/2] for sequences of length time, and the factor on cosine and sine."""
    dim, theta, scaling = s["head_dim"], s["rope_theta"], s.get("rope_scaling", {})
    kind, factor = scaling.get("rope_type", "default"), scaling.get("factor", 1.0)
    if kind == "dynamic":
        stretch = max(time / s["max_position_embeddings"], 1.0)
        theta = theta * (factor * stretch - (factor - 1.0)) ** (dim / (dim - 2))
    frequency = theta ** (-torch.arange(dim // 2, dtype=torch.float64) / (dim // 2))
    if kind == "linear":
        return frequency / factor, 1.0
    if kind == "llama3":
        # The share kept: 1 above `high` turns within the original length, 0 below `low`.
        turns = scaling["original_max_position_embeddings"] * frequency / (2 * math.pi)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return kept * frequency + (1 - kept) * frequency / factor, 1.0
    if kind == "yarn":
        def pair_that_makes(turns):
            length = scaling["original_max_position_embeddings"]
            return dim * math.log(length / (2 * math.pi * turns)) / (2 * math.log(theta))
        low = max(math.floor(pair_that_makes(scaling["beta_fast"])), 0)
        high = min(math.ceil(pair_that_makes(scaling["beta_slow"])), dim - 1)
        ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / (high - low)).clamp(0, 1)
        return (1 - ramp) * frequency + ramp * frequency / factor, 0.1 * math.log(factor) + 1
    return frequency, 1.0


# ---- Scores [B, H, Q, N] of q [B, Q, H, D] and k [B, N, K, D], the future not yet masked. ----

def plain_scores(p, q, k, s):
    return products(q, per_head(k, s)) / math.sqrt(s["head_dim"])


def rope_scores(p, q, k, s):
    frequency, factor = rope_frequencies(s, q.shape[1])
    return plain_scores(p, rope(q, frequency, factor), rope(k, frequency, factor), s)


def alibi_slopes(heads):
    """2^(-8h/n) for a power of two n; else those of n below, then every other one of 2n."""
    n = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * h / n) for h in range(1, n + 1)]
    slopes += [2 ** (-8 * h / (2 * n)) for h in range(1, 2 * n, 2)]
    return torch.tensor(slopes[:heads], dtype=torch.float64)


def alibi_scores(p, q, k, s):
    slopes = alibi_slopes(s["num_attention_heads"])[:, None, None]
    return plain_scores(p, q, k, s) - slopes * distances(q.shape[1], k.shape[1])


def t5_bucket(distance, buckets, max_distance):
    """Half of the buckets hold one distance each, the others ranges that grow up to max_distance.
    """
    exact = buckets // 2
    share = (distance.clamp(min=exact) / exact).log() / math.log(max_distance / exact)
    beyond = exact + (share * (buckets - exact)).long()
    return torch.where(distance < exact, distance, beyond.clamp(max=buckets - 1))


def t5_scores(p, q, k, s):
    distance = distances(q.shape[1], k.shape[1]).clamp(min=0)
    bucket = t5_bucket(distance, s["relative_attention_num_buckets"],
                       s["relative_attention_max_distance"])
    bias = p["relative_attention_bias.weight"][bucket]  # [Q, N, H]
    return products(q, per_head(k, s)) + bias.permute(2, 0, 1)  # T5 does not divide by sqrt(D)


def transformer_xl_scores(p, q, k, s):
    keys, width = k.shape[1], s["hidden_size"]
    r = torch.cat(sinusoids(keys, width), dim=-1) @ p["r_proj.weight"].T  # all sines, then cosines
    r = per_head(r.view(keys, s["num_key_value_heads"], s["head_dim"]), s)
    r = r[distances(q.shape[1], keys).clamp(min=0)]  # [Q, N, H, D]
    u, v, k = p["r_w_bias"], p["r_r_bias"], per_head(k, s)
    scores = (products(q, k) + torch.einsum("bihd,ijhd->bhij", q, r)
              + torch.einsum("hd,bjhd->bhj", u, k)[:, :, None]
              + torch.einsum("hd,ijhd->hij", v, r))
    return scores / math.sqrt(s["head_dim"])


def deberta_row(distance, s):
    """Row of the causal half of the table: the distance, or its logarithmic bucket."""
    reach, buckets = s["max_relative_positions"], s["position_buckets"]
    distance = distance.clamp(max=reach - 1)
    if buckets == 0:
        return distance
    middle = buckets // 2
    share = (distance.clamp(min=1) / middle).log() / math.log((reach - 1) / middle)
    beyond = middle + (share * (middle - 1)).ceil().long()
    return torch.where(distance <= middle, distance, beyond)


def deberta_scores(p, q, k, s):
    row = deberta_row(distances(q.shape[1], k.shape[1]).clamp(min=0), s)
    table, dim = p["rel_embeddings.weight"], s["head_dim"]
    position_keys = (table @ p["pos_key_proj.weight"].T).view(-1, s["num_key_value_heads"], dim)
    position_keys = per_head(position_keys, s)[row]  # [Q, N, H, D]
    position_queries = (table @ p["pos_query_proj.weight"].T).view(-1, q.shape[2], dim)[row]
    k = per_head(k, s)
    scores = (products(q, k) + torch.einsum("bihd,ijhd->bhij", q, position_keys)
              + torch.einsum("bjhd,ijhd->bhij", k, position_queries))
    return scores / math.sqrt(3 * dim)


SCORES = {"rope": rope_scores, "learned": plain_scores, "sinusoidal": plain_scores,
          "none": plain_scores, "alibi": alibi_scores, "t5": t5_scores,
          "transformer_xl": transformer_xl_scores, "deberta": deberta_scores}


def scores(p, q, k, s):
    """p holds the position parameters of the layer and those all layers share, by short name."""
    return SCORES[s.get("position", "rope")](p, q, k, s)


def shapes(s):
    """Shape of every parameter that the encoding adds to the model."""
    c, dim = s["hidden_size"], s["head_dim"]
    heads, kv_heads = s["num_attention_heads"], s["num_key_value_heads"]
    position, shared, of_layer = s["position"], {}, {}
    if position == "learned":
        shared = {"embed_positions.weight": (s["max_position_embeddings"], c)}
    if position == "t5":
        bias = {"relative_attention_bias.weight": (s["relative_attention_num_buckets"], heads)}
        shared, of_layer = ({}, bias) if s["relative_attention_per_layer"] else (bias, {})
    if position == "transformer_xl":
        shared = {"r_w_bias": (heads, dim), "r_r_bias": (heads, dim)}
        of_layer = {"r_proj.weight": (kv_heads * dim, c)}
    if position == "deberta":
        rows = s["position_buckets"] or s["max_relative_positions"]
        shared = {"rel_embeddings.weight": (rows, c)}
        of_layer = {"pos_key_proj.weight": (kv_heads * dim, c),
                    "pos_query_proj.weight": (heads * dim, c)}
    return ({"model." + name: shape for name, shape in shared.items()}
            | {f"model.layers.{i}.self_attn.{name}": shape
               for i in range(s["num_hidden_layers"]) for name, shape in of_layer.items()})

#!/usr/bin/env python3
"""Writes knobs.safetensors: one model, trained for six steps with each of several knobs.

    pip install torch==2.13.0 safetensors numpy
    python tests/golden/knobs.py

Groups are torch.optim.AdamW's own, found by fnmatch; the lookup's gradient is scaled by a table
that autograd sees in part; z-loss is torch.logsumexp's square; a head that is untied is a clone of
the table, whose state in the optimizer is cloned too. The rest is generate.py's.
"""

import fnmatch

import torch
import torch.nn.functional as F

import generate

STEPS, BATCH, TIME = 6, 3, 13
TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"
GROUPS = [{"pattern": "model.embed_*", "learning_rate_factor": 0.25, "weight_decay_factor": 3.0,
           "beta2": 0.99},
          {"pattern": "model.layers.*.mlp.*", "learning_rate_factor": 2.0, "beta1": 0.5},
          {"pattern": "*.gate_proj.weight", "learning_rate_factor": 100.0},  # taken by the one above
          {"pattern": "*norm*", "weight_decay_factor": 50.0},  # norms never decay
          {"pattern": "lm_head.weight", "weight_decay_factor": 0.0}]
CASES = {
    "z_loss": {"z_loss": 0.1},
    "gradient_scale": {"tied": True, "gradient_scale": 0.25},
    "groups": {"groups": GROUPS},
    "untied": {"tied": True, "untie_at_step": 4},
    "all": {"tied": True, "z_loss": 0.1, "gradient_scale": 0.25, "groups": GROUPS,
            "untie_at_step": 4},
}


def adamw_group(name, weight, groups):
    """The parameter group of torch.optim.AdamW for one tensor."""
    found = next((g for g in groups if fnmatch.fnmatchcase(name, g["pattern"])), {})
    adamw = generate.ADAMW
    decay = adamw["weight_decay"] * found.get("weight_decay_factor", 1.0)
    return {"params": [weight], "lr": adamw["lr"] * found.get("learning_rate_factor", 1.0),
            "weight_decay": decay if weight.dim() >= 2 else 0.0,
            "betas": (found.get("beta1", adamw["beta1"]), found.get("beta2", adamw["beta2"]))}


def run(start, tokens, targets, s, tied=False, z_loss=0.0, gradient_scale=1.0, groups=(),
        untie_at_step=0):
    """Losses (without z-loss), gradient norms before clipping, and the last weights."""
    p = {n: w.clone().requires_grad_() for n, w in start.items() if not (tied and n == HEAD)}
    optimizer = generate.make_adamw([adamw_group(n, w, groups) for n, w in p.items()])
    losses, norms = [], []
    for step in range(STEPS):
        if step + 1 == untie_at_step:
            p[HEAD] = p[TABLE].detach().clone().requires_grad_()
            optimizer.add_param_group(adamw_group(HEAD, p[HEAD], groups))
            optimizer.state[p[HEAD]] = {k: v.clone() for k, v in optimizer.state[p[TABLE]].items()}
        table = p[TABLE]
        seen = gradient_scale * table + (1 - gradient_scale) * table.detach()
        logits = generate.llama(p | {TABLE: seen, HEAD: p.get(HEAD, table)}, tokens[step], s)
        losses.append(F.cross_entropy(logits.flatten(0, 1), targets[step].flatten()))
        log_z = logits.logsumexp(dim=-1)[targets[step] != -100]
        optimizer.zero_grad()
        (losses[-1] + z_loss * log_z.square().mean()).backward()
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), 1.0))
        optimizer.step()
    return {"losses": torch.stack(losses), "grad_norm": torch.stack(norms)} | {
        "after." + n: w for n, w in p.items()}


def write_knobs():
    draw, s = generate.Draw(41), generate.position_settings()
    start = draw.parameters(generate.llama_shapes(s))
    sequences = draw.ids(STEPS, BATCH, TIME + 1, below=s["vocab_size"])
    tokens, targets = sequences[..., :-1], sequences[..., 1:].clone()
    targets[:, 1, 4:9] = -100
    tensors = {"tokens": tokens, "targets": targets} | start
    for name, knobs in CASES.items():
        answers = run(start, tokens, targets, s, **knobs)
        tensors |= {f"{name}.{n}": value for n, value in answers.items()}
    generate.write("knobs", tensors, s | generate.ADAMW | CASES)


if __name__ == "__main__":
    torch.set_num_threads(1)  # a fixed order of summation
    write_knobs()

#!/usr/bin/env python3
"""Compares the golden models with the LlamaForCausalLM of transformers, which must be installed.

Loss, logits and gradients must agree to what float32 allows: the library keeps its norms and angles
in float32 even in a float64 model.
"""

import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from generate import FOLDER, MODELS, model_settings, under

for file, changes in MODELS.items():
    stored = load_file(FOLDER / f"{file}.safetensors")
    model = LlamaForCausalLM(LlamaConfig(**model_settings(**changes))).double()
    named = dict(model.named_parameters())  # a tied head is not listed
    model.load_state_dict({n: stored[n] for n in named}, strict="lm_head.weight" in named)
    # It shifts labels itself: give it the sequences that tokens and targets were cut from.
    sequence = torch.cat([stored["tokens"][0], stored["targets"][0][:, -1:]], dim=1).long()
    output = model(input_ids=sequence, labels=sequence)
    output.loss.backward()
    assert set(under("grad.", stored)) == set(named)
    pairs = {"loss": (output.loss, stored["losses"][0]),
             "logits": (output.logits[:, :-1], stored["logits0"])}
    pairs |= {n: (p.grad, stored["grad." + n]) for n, p in named.items()}
    worst, name = max(((a - b).abs().max().item() / b.abs().max().item(), n)
                      for n, (a, b) in pairs.items())
    print(f"{file}: {len(named)} gradients agree, worst relative difference {worst:.1e} in {name}")
    assert worst < 1e-5

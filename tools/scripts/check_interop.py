#!/usr/bin/env python3
"""Lets other programs read what cria writes, and cria what they write, and compares the numbers.

Models of several shapes with random weights are made by transformers. For each: the logits of cria
and of transformers, also after `cria export --to hf`; greedy text; three training steps on the same
tokens with the same AdamW; GGUF, .npz and event files as their own libraries read them. With
llama-cpp-python also llama.cpp's tokens and greedy text. Nothing here is needed to build, test or
run cria.
Needs torch, transformers, safetensors, gguf, numpy, tensorboard; llama_cpp if there; cria built.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import gguf
import numpy
import safetensors.numpy
import torch
import transformers
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

try:
    import llama_cpp
except ImportError:
    llama_cpp = None

CRIA = pathlib.Path(__file__).resolve().parents[2] / "build" / "cria"
TEXT = "The llama and the cria walk to the river, drink, and walk back again; 123 times.\n"
PROMPT = "The llama and"
NEW_TOKENS = 40
STEPS = 3
LEARNING_RATE, BETAS, EPS, DECAY, CLIP = 1e-3, (0.9, 0.95), 1e-8, 0.1, 1.0
LOGITS_TOLERANCE = LOSS_TOLERANCE = 1e-4

BASE = dict(hidden_size=64, intermediate_size=176, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=128, rms_norm_eps=1e-5,
            initializer_range=0.3)


def rope(kind, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, "factor": 2.0, **more}}


SHAPES = {
    "untied": {},
    "tied": {"tie_word_embeddings": True},
    "grouped heads": {"num_key_value_heads": 2},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "own head_dim": {"head_dim": 24, "num_key_value_heads": 1},
    "rope linear": rope("linear"),
    "rope dynamic": rope("dynamic"),
    "rope yarn": rope("yarn", original_max_position_embeddings=64),
    "rope llama3": rope("llama3", low_freq_factor=1.0, high_freq_factor=4.0,
                        original_max_position_embeddings=64),
}
# What llama.cpp has no keys for.
NOT_IN_GGUF = {"rope dynamic"}


def cria(*arguments):
    done = subprocess.run([CRIA, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cria {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1].double().numpy()


def cria_logits(directory, vocabulary):
    trace = json.loads(cria("trace", directory, "--text", TEXT, "--top", vocabulary, "--json"))
    found = numpy.zeros(vocabulary)
    for token in trace["next"]:
        found[token["id"]] = token["logit"]
    return found


def greedy_ids(model, ids):
    out = model.generate(torch.tensor([ids]), max_new_tokens=NEW_TOKENS, do_sample=False,
                         eos_token_id=None, pad_token_id=0)
    return out[0].tolist()[len(ids):]


def losses_of_torch(model, ids):
    """STEPS steps on one sequence; norms and biases do not decay, as in cria."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": DECAY},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=LEARNING_RATE, betas=BETAS, eps=EPS)
    losses = []
    for _ in range(STEPS):
        out = model(torch.tensor([ids[:-1]])).logits[0]
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(ids[1:]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def losses_of_cria(directory, data, run, length):
    config = run.parent / "steps.toml"
    config.write_text(f"""
[model]
max_position_embeddings = {BASE["max_position_embeddings"]}
[data]
train = "{data}/train_*.bin"
sequence_length = {length}
[train]
init_from = "{directory}"
steps = {STEPS}
batch_size = 1
max_grad_norm = {CLIP}
output_dir = "{run}"
[optimizer]
learning_rate = {LEARNING_RATE}
beta1 = {BETAS[0]}
beta2 = {BETAS[1]}
eps = {EPS}
weight_decay = {DECAY}
[schedule]
name = "constant"
warmup_steps = 0
[log]
tensorboard = true
norms_every = 1
""")
    cria("train", config)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def check_events(run, losses):
    events = EventAccumulator(str(run))
    events.Reload()
    read = [event.value for event in events.Scalars("loss/train")]
    assert numpy.allclose(read, losses, rtol=1e-6), (read, losses)


def check_arrays(directory, work):
    """safetensors, .npz and F32 GGUF hold the same numbers, as their own libraries read them."""
    wanted = safetensors.numpy.load_file(directory / "model.safetensors")
    cria("export", directory, "--to", "npz", "-o", work / "m.npz")
    arrays = numpy.load(work / "m.npz")
    assert sorted(arrays.files) == sorted(wanted), "names"
    assert all(numpy.array_equal(arrays[name], wanted[name]) for name in wanted), "npz"


def check_gguf(directory, work):
    path = work / "m.gguf"
    cria("export", directory, "--to", "gguf", "-o", path)
    wanted = safetensors.numpy.load_file(directory / "model.safetensors")
    tensors = {t.name: t.data for t in gguf.GGUFReader(path).tensors}
    assert numpy.array_equal(tensors["token_embd.weight"], wanted["model.embed_tokens.weight"])
    assert numpy.array_equal(tensors["blk.1.ffn_down.weight"],
                             wanted["model.layers.1.mlp.down_proj.weight"])
    cria("import", path, "-o", work / "back")
    back = safetensors.numpy.load_file(work / "back" / "model.safetensors")
    assert all(numpy.array_equal(back[name], wanted[name]) for name in wanted), "import"
    return path


def llama_cpp_text(path, ids):
    f32 = llama_cpp.GGML_TYPE_F32  # the cache would be F16
    model = llama_cpp.Llama(str(path), n_ctx=BASE["max_position_embeddings"], verbose=False,
                            n_threads=1, type_k=f32, type_v=f32)
    read = model.tokenize(PROMPT.encode(), add_bos=True, special=False)
    assert read == ids, (read, ids)
    new = []
    for token in model.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
        new.append(token)
        if len(new) == NEW_TOKENS:
            return new


def check(name, changes, data, work):
    tokenizer = transformers.AutoTokenizer.from_pretrained(data)
    ids = tokenizer(TEXT)["input_ids"]
    vocabulary = len(tokenizer)
    torch.manual_seed(1)
    config = transformers.LlamaConfig(vocab_size=vocabulary, **{**BASE, **changes},
                                      bos_token_id=tokenizer.bos_token_id,
                                      eos_token_id=tokenizer.eos_token_id)
    model = transformers.LlamaForCausalLM(config).eval()
    theirs = work / "theirs"
    model.save_pretrained(theirs)
    tokenizer.save_pretrained(theirs)

    difference = abs(logits(model, ids) - cria_logits(theirs, vocabulary)).max()
    cria("export", theirs, "--to", "hf", "-o", work / "ours")
    again = transformers.AutoModelForCausalLM.from_pretrained(work / "ours",
                                                              dtype=torch.float32).eval()
    exported = abs(logits(model, ids) - logits(again, ids)).max()

    prompt = tokenizer(PROMPT)["input_ids"]
    wanted = greedy_ids(model, prompt)
    text = json.loads(cria("generate", theirs, "--prompt", PROMPT, "--temperature", 0,
                           "--max-new-tokens", NEW_TOKENS, "--ignore-eos", "--json"))["text"]
    same_text = text == tokenizer.decode(wanted, skip_special_tokens=True)

    check_arrays(work / "ours", work)
    in_llama_cpp = "-"
    if name not in NOT_IN_GGUF:
        path = check_gguf(work / "ours", work)
        if llama_cpp:
            in_llama_cpp = "equal" if llama_cpp_text(path, prompt) == wanted else "DIFFER"

    ours = losses_of_cria(theirs, data, work / "run", len(ids) - 1)
    check_events(work / "run", ours)
    torch_losses = losses_of_torch(model.train(), ids)
    loss = max(abs(a - b) for a, b in zip(ours, torch_losses, strict=True))

    good = (difference < LOGITS_TOLERANCE and exported < LOGITS_TOLERANCE and same_text and
            loss < LOSS_TOLERANCE and in_llama_cpp != "DIFFER")
    print(f"| {name} | {difference:.0e} | {exported:.0e} | {'equal' if same_text else 'DIFFER'} | "
          f"{loss:.0e} | {in_llama_cpp} |", flush=True)
    return good


def main():
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    work = pathlib.Path(tempfile.mkdtemp(prefix="cria_interop_"))
    try:
        (work / "text.txt").write_text(TEXT)
        data = work / "data"
        cria("prepare", work / "text.txt", "--tokenizer", "bytes", "--bos", "<s>",
             "--val-fraction", 0, "--out", data)
        print("| model | logits | logits of the export | greedy text | loss of 3 steps | llama.cpp |"
              "\n|---|---|---|---|---|---|")
        good = True
        for name, changes in SHAPES.items():
            here = work / name.replace(" ", "_")
            here.mkdir()
            good &= check(name, changes, data, here)
        sys.exit(0 if good else "something differs")
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Times whole training steps of one config in cria and in plain PyTorch, in turns.

Both do the same work with as many threads: a LLaMA of CONFIG's shape on a batch of random tokens,
forward, backward, clipping, AdamW. Printed are the medians of the rounds, and the median of their
ratios. A round is one step that does not count, then --steps that do. Peak memory is that of the
whole process: for PyTorch this includes the library itself, and the compiler with --compile.
Needs PyTorch 2.5 or newer, and cria built.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
import tomllib

CRIA = pathlib.Path(__file__).resolve().parent.parent / "build" / "cria"
ROUND_SECONDS = 3
PAUSE_SECONDS = 0.3  # the threads of the side just timed spin for a while before they sleep
# What cria takes for keys that a config leaves out, as far as the work of a step depends on them.
DEFAULTS = {
    "model": {"vocab_size": 0, "hidden_size": 128, "intermediate_size": 0, "num_hidden_layers": 4,
              "num_attention_heads": 4, "num_key_value_heads": 0, "head_dim": 0,
              "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "attention_bias": False,
              "mlp_bias": False, "initializer_range": 0.02, "position": "rope",
              "rope_theta": 10000.0},
    "data": {"sequence_length": 256},
    "train": {"batch_size": 8, "max_grad_norm": 1.0, "precision": "fp32"},
    "optimizer": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8,
                  "weight_decay": 0.1},
}
# Work that the PyTorch side would not do.
UNSUPPORTED = ["embedding_norm", "embedding_dropout", "attention_dropout", "residual_dropout"]


def fail(message):
    sys.exit(f"compare_pytorch: {message}")


def read_config(path, overrides):
    """All keys, nothing left open. The file and the overrides are ones that cria accepted."""
    config = {table: dict(keys) for table, keys in DEFAULTS.items()}
    for text in [pathlib.Path(path).read_text(encoding="utf-8"), *overrides]:
        for table, keys in tomllib.loads(text).items():
            config.setdefault(table, {}).update(keys)
    model = config["model"]
    if model["vocab_size"] == 0:
        fail("the vocabulary is that of a tokenizer: give model.vocab_size=N")
    if model["position"] != "rope":
        fail(f"the PyTorch side has position = \"rope\" only, not \"{model['position']}\"")
    for key in UNSUPPORTED:
        if model.get(key):
            fail(f"the PyTorch side has no {key}")
    model["head_dim"] = model["head_dim"] or model["hidden_size"] // model["num_attention_heads"]
    model["num_key_value_heads"] = model["num_key_value_heads"] or model["num_attention_heads"]
    if model["intermediate_size"] == 0:
        model["intermediate_size"] = (model["hidden_size"] * 8 // 3 + 7) // 8 * 8
    return config


# ---- PyTorch. Only the worker imports it: on Linux a process starts with its parent's peak memory,
# so a large parent would show in cria's figure. ----

def build_llama(model, T):
    """Hugging Face's LLaMA with q/k/v and gate/up fused, as a module that returns the loss.

    B batch, T time, C hidden_size, H query heads, K key/value heads, D head_dim, F
    intermediate_size, V vocabulary.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    V, C, F = model["vocab_size"], model["hidden_size"], model["intermediate_size"]
    H, K, D = model["num_attention_heads"], model["num_key_value_heads"], model["head_dim"]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_norm = nn.RMSNorm(C, model["rms_norm_eps"])
            self.qkv = nn.Linear(C, (H + 2 * K) * D, bias=model["attention_bias"])
            self.out = nn.Linear(H * D, C, bias=model["attention_bias"])
            self.mlp_norm = nn.RMSNorm(C, model["rms_norm_eps"])
            self.gate_up = nn.Linear(C, 2 * F, bias=model["mlp_bias"])
            self.down = nn.Linear(F, C, bias=model["mlp_bias"])

        def forward(self, x, cos, sin):  # [B, T, C], [T, 1, D/2] twice -> [B, T, C]
            qkv = self.qkv(self.attention_norm(x)).view(-1, T, H + 2 * K, D)
            qk, v = qkv.split([H + K, K], dim=2)
            cos, sin = cos.to(qk.dtype), sin.to(qk.dtype)
            first, second = qk.chunk(2, dim=-1)
            qk = torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
            q, k, v = (heads.transpose(1, 2) for heads in (*qk.split([H, K], dim=2), v))
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=H != K)
            x = x + self.out(y.transpose(1, 2).reshape(-1, T, H * D))
            gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, dim=-1)
            return x + self.down(functional.silu(gate) * up)

    class Llama(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(V, C)
            self.blocks = nn.ModuleList(Block() for _ in range(model["num_hidden_layers"]))
            self.norm = nn.RMSNorm(C, model["rms_norm_eps"])
            self.head = nn.Linear(C, V, bias=False)
            if model["tie_word_embeddings"]:
                self.head.weight = self.embedding.weight
            for parameter in self.parameters():
                if parameter.dim() == 2:
                    nn.init.normal_(parameter, std=model["initializer_range"])
            frequencies = model["rope_theta"] ** (-torch.arange(0, D, 2) / D)
            angles = torch.outer(torch.arange(T), frequencies)[:, None, :]
            self.register_buffer("cos", angles.cos())
            self.register_buffer("sin", angles.sin())

        def forward(self, ids, targets):  # [B, T] twice -> mean over B T
            x = self.embedding(ids)
            for block in self.blocks:
                x = block(x, self.cos, self.sin)
            logits = self.head(self.norm(x))
            return functional.cross_entropy(logits.view(-1, V), targets.view(-1))

    return Llama()


def worker(arguments, config):
    """Says what it is in a line of JSON; then, for each line with a number N, times N steps."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    train, settings = config["train"], config["optimizer"]
    B, T, V = train["batch_size"], config["data"]["sequence_length"], config["model"]["vocab_size"]
    model = build_llama(config["model"], T)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": others, "weight_decay": 0.0}],
        lr=settings["learning_rate"], betas=(settings["beta1"], settings["beta2"]),
        eps=settings["eps"], weight_decay=settings["weight_decay"], fused=True)
    ids, targets = torch.randint(V, (B, T)), torch.randint(V, (B, T))
    compute_loss = torch.compile(model) if arguments.compile else model
    precision = (torch.autocast("cpu", dtype=torch.bfloat16) if train["precision"] == "bf16"
                 else contextlib.nullcontext())

    def seconds_of_step():
        start = time.perf_counter()
        with precision:
            loss = compute_loss(ids, targets)
        loss.backward()
        if train["max_grad_norm"] > 0:
            torch.nn.utils.clip_grad_norm_(model.parameters(), train["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    seconds_of_step()  # compiles, and makes the optimizer's state
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"version": torch.__version__, "parameters": parameters}), flush=True)
    for line in sys.stdin:
        seconds = [seconds_of_step() for _ in range(int(line) + 1)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        print(json.dumps({"seconds": seconds[1:], "peak_rss_bytes": peak}), flush=True)


# ---- The comparison ----

def run_cria(arguments, steps):
    command = [arguments.cria, "bench", arguments.config, *arguments.overrides, "--json",
               "--step-only", "--steps", str(steps), "--threads", str(arguments.threads)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(1)  # cria has said why
    return json.loads(run.stdout)


def read_answer(process):
    line = process.stdout.readline()
    if not line:
        fail(f"the PyTorch side ended, exit status {process.wait()}")
    return json.loads(line)


def run_pytorch(process, steps):
    print(steps, file=process.stdin, flush=True)
    run = read_answer(process)
    return run | {"seconds": statistics.median_high(run["seconds"])}  # the median cria takes


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare(arguments):
    first = run_cria(arguments, 1)  # also says what is wrong with the config
    config = read_config(arguments.config, arguments.overrides)
    steps = arguments.steps or min(max(round(ROUND_SECONDS / first["step"]["seconds"]), 3), 100)
    command = [sys.executable, __file__, *sys.argv[1:], "--worker"]
    runs = {"cria": [], "pytorch": []}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        described = read_answer(process)
        for number in range(arguments.rounds):
            for side in ["pytorch", "cria"] if number % 2 else ["cria", "pytorch"]:
                time.sleep(PAUSE_SECONDS)
                run = (run_cria(arguments, steps)["step"] if side == "cria"
                       else run_pytorch(process, steps))
                runs[side].append(run)
                print(f"round {number + 1}/{arguments.rounds}, {side}: "
                      f"{run['seconds'] * 1e3:.1f} ms", file=sys.stderr)
    tokens = config["train"]["batch_size"] * config["data"]["sequence_length"]
    result = {"config": arguments.config, "overrides": arguments.overrides,
              "precision": config["train"]["precision"], "compile": arguments.compile,
              "rounds": arguments.rounds, "steps": steps, "tokens_per_step": tokens,
              "machine": first["machine"], "torch": described["version"],
              "parameters": described["parameters"]}
    for side in runs:
        seconds = spread([run["seconds"] for run in runs[side]])
        result[side] = {"seconds": seconds, "tokens_per_s": tokens / seconds["median"],
                        "peak_rss_bytes": max(run["peak_rss_bytes"] for run in runs[side])}
    result["pytorch_over_cria"] = {
        "seconds": spread([pytorch["seconds"] / cria["seconds"]
                           for cria, pytorch in zip(runs["cria"], runs["pytorch"])]),
        "peak_rss_bytes": result["pytorch"]["peak_rss_bytes"] / result["cria"]["peak_rss_bytes"]}
    return result


def report(result):
    machine, ratio = result["machine"], result["pytorch_over_cria"]
    print(f"{result['config']}: {result['parameters'] / 1e6:.1f}M parameters, "
          f"{result['tokens_per_step']} tokens a step, {result['precision']}")
    print(f"{machine['processor']}, {machine['threads']} threads, cria's {machine['isa']} kernels, "
          f"PyTorch {result['torch']} {'compiled' if result['compile'] else 'eager'}, "
          f"{result['rounds']} rounds of {result['steps']} steps")
    print("            ms/step         (min .. max)   tokens/s   peak MiB")
    for side, name in ("cria", "cria"), ("pytorch", "PyTorch"):
        median, least, most = (1e3 * seconds for seconds in result[side]["seconds"].values())
        print(f"{name:8}{median:11.1f}{f'({least:.1f} .. {most:.1f})':>21}"
              f"{result[side]['tokens_per_s']:11.0f}{result[side]['peak_rss_bytes'] / 2**20:11.0f}")
    print("PyTorch / cria: time {median:.2f} ({min:.2f} .. {max:.2f}), ".format(**ratio["seconds"])
          + f"memory {ratio['peak_rss_bytes']:.2f}; above 1, cria needs less")


def positive(text):
    if int(text) < 1:
        raise ValueError
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", metavar="CONFIG")
    parser.add_argument("overrides", metavar="table.key=value", nargs="*")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--bf16", action="store_true",
                        help="train.precision=\"bf16\"; in PyTorch, autocast to bfloat16")
    parser.add_argument("--rounds", metavar="N", type=positive, default=5, help="default 5")
    parser.add_argument("--steps", metavar="N", type=positive,
                        help=f"steps in a round (default: 3 to 100, for {ROUND_SECONDS} s of cria)")
    parser.add_argument("--threads", metavar="N", type=positive, default=os.cpu_count(),
                        help="default: as many as processors")
    parser.add_argument("--cria", metavar="PATH", default=CRIA, help="default build/cria")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_intermixed_args()
    if arguments.bf16:
        arguments.overrides.append('train.precision="bf16"')
    if not importlib.util.find_spec("torch"):
        fail("PyTorch is not installed for this Python: pip install torch")
    if not os.access(arguments.cria, os.X_OK):
        fail(f"{arguments.cria} is not there: run make")
    if arguments.worker:
        return worker(arguments, read_config(arguments.config, arguments.overrides))
    result = compare(arguments)
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Times whole training steps of one config, or single products, in cria and in PyTorch, in turns.

Both do the same work with as many threads: a LLaMA of CONFIG's shape on a batch of random tokens,
forward, backward, clipping, AdamW. Printed are the medians of the rounds, and the median of their
ratios. A round is one step that does not count, then --steps that do. Peak memory is that of the
whole process: for PyTorch this includes the library itself, and the compiler with --compile.

With --products instead of CONFIG: the three products of linear layers of M rows, N outputs and K
inputs (forward x w^T, backward dy w and dy^T x), in fp32 and in bf16. PyTorch's tensors are then
bf16; cria's stay fp32, with the conversion in its time, as is the addition to the gradient so far.

Needs PyTorch 2.5 or newer, and cria built.
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
import tomllib

CRIA = pathlib.Path(__file__).resolve().parents[2] / "build" / "cria"
ROUND_SECONDS = 3
PRODUCTS = "2048x768x288,2048x288x768,2048x2048x768,2048x2048x2048,2048x32000x288"
# Calls of one product, as cria bench has it: between six and 200, for 0.3 s if possible.
FEWEST_CALLS, MOST_CALLS, CALLS_SECONDS = 6, 200, 0.3
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


def steps_worker(arguments, config):
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


def products_worker(arguments):
    """Says what it is; then, for each line, times all products: {name as cria has it: seconds}."""
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)

    def seconds_of(a, b, out):
        torch.mm(a, b, out=out)
        seconds = []
        while len(seconds) < FEWEST_CALLS or (
                sum(seconds) < CALLS_SECONDS and len(seconds) < MOST_CALLS):
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            seconds.append(time.perf_counter() - start)
        return statistics.median_high(seconds)

    def products(shape, precision, dtype):
        M, N, K = sizes(shape)
        x, w = torch.randn(M, K, dtype=dtype), torch.randn(N, K, dtype=dtype)
        y, dx, dw = torch.empty(M, N, dtype=dtype), torch.empty_like(x), torch.empty_like(w)
        return {f"{shape} {precision} forward": seconds_of(x, w.t(), y),
                f"{shape} {precision} backward input": seconds_of(y, w, dx),
                f"{shape} {precision} backward weight": seconds_of(y.t(), x, dw)}

    print(json.dumps({"version": torch.__version__}), flush=True)
    for _ in sys.stdin:
        times = {}
        for shape in arguments.products.split(","):
            times |= products(shape, "fp32", torch.float32)
            times |= products(shape, "bf16", torch.bfloat16)
        print(json.dumps(times), flush=True)


# ---- The comparison ----

def sizes(shape):
    return [int(size) for size in shape.split("x")]


def run_cria(arguments, *what):
    command = [arguments.cria, "bench", *what, "--json", "--threads", str(arguments.threads)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(1)  # cria has said why
    result = json.loads(run.stdout)
    if result["machine"]["busy"]:
        print(f"the machine is busy: {result['machine']['busy']}", file=sys.stderr)
    return result


def run_cria_steps(arguments, steps):
    return run_cria(arguments, arguments.config, *arguments.overrides, "--step-only", "--steps",
                    str(steps))


def start_worker():
    command = [sys.executable, __file__, *sys.argv[1:], "--worker"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)


def read_answer(process):
    line = process.stdout.readline()
    if not line:
        fail(f"the PyTorch side ended, exit status {process.wait()}")
    return json.loads(line)


def ask(process, line):
    print(line, file=process.stdin, flush=True)
    return read_answer(process)


def in_turns(rounds, sides):
    """{side: what its function returned in each round}; who is first alternates."""
    runs = {side: [] for side in sides}
    for number in range(rounds):
        for side in reversed(sides) if number % 2 else sides:
            time.sleep(PAUSE_SECONDS)
            start = time.perf_counter()
            runs[side].append(sides[side]())
            print(f"round {number + 1}/{rounds}, {side}: {time.perf_counter() - start:.1f} s",
                  file=sys.stderr)
    return runs


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compare_steps(arguments):
    first = run_cria_steps(arguments, 1)  # also says what is wrong with the config
    config = read_config(arguments.config, arguments.overrides)
    steps = arguments.steps or min(max(round(ROUND_SECONDS / first["step"]["seconds"]), 3), 100)
    with start_worker() as process:
        described = read_answer(process)
        runs = in_turns(arguments.rounds,
                        {"cria": lambda: run_cria_steps(arguments, steps)["step"],
                         "pytorch": lambda: ask(process, steps)})
    for run in runs["pytorch"]:
        run["seconds"] = statistics.median_high(run["seconds"])  # the median cria takes
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


def compare_products(arguments):
    with start_worker() as process:
        described = read_answer(process)
        runs = in_turns(arguments.rounds,
                        {"cria": lambda: run_cria(arguments, "--products", arguments.products),
                         "pytorch": lambda: ask(process, "")})
    times = {"cria": [{kernel["name"]: kernel["seconds"] for kernel in run["kernels"]}
                      for run in runs["cria"]],
             "pytorch": runs["pytorch"]}
    products = []
    for name in times["cria"][0]:
        operations = 2 * math.prod(sizes(name.split()[0]))
        gflops = {side: [operations / run[name] * 1e-9 for run in times[side]] for side in times}
        products.append({"name": name, "cria_gflops": spread(gflops["cria"]),
                         "pytorch_gflops": spread(gflops["pytorch"]),
                         "cria_over_pytorch": spread([a / b for a, b in zip(*gflops.values())])})
    return {"rounds": arguments.rounds, "machine": runs["cria"][0]["machine"],
            "torch": described["version"], "products": products}


def report_products(result):
    machine = result["machine"]
    print(f"{machine['processor']}, {machine['threads']} threads, cria's {machine['isa']} kernels, "
          f"PyTorch {result['torch']}, {result['rounds']} rounds")
    print(f"{'GFLOP/s':40}{'cria':>8}{'PyTorch':>10}{'cria / PyTorch (min .. max)':>30}")
    for product in result["products"]:
        ratio = "{median:.2f} ({min:.2f} .. {max:.2f})".format(**product["cria_over_pytorch"])
        print(f"{product['name']:40}{product['cria_gflops']['median']:8.1f}"
              f"{product['pytorch_gflops']['median']:10.1f}{ratio:>30}")


def report_steps(result):
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
    parser.add_argument("config", metavar="CONFIG", nargs="?")
    parser.add_argument("overrides", metavar="table.key=value", nargs="*")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--bf16", action="store_true",
                        help="train.precision=\"bf16\"; in PyTorch, autocast to bfloat16")
    parser.add_argument("--products", metavar="MxNxK,...", nargs="?", const=PRODUCTS,
                        help=f"instead of CONFIG; default {PRODUCTS}")
    parser.add_argument("--rounds", metavar="N", type=positive, default=5, help="default 5")
    parser.add_argument("--steps", metavar="N", type=positive,
                        help=f"steps in a round (default: 3 to 100, for {ROUND_SECONDS} s of cria)")
    parser.add_argument("--threads", metavar="N", type=positive, default=os.cpu_count(),
                        help="default: as many as processors")
    parser.add_argument("--cria", metavar="PATH", default=CRIA, help="default build/cria")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_intermixed_args()
    if bool(arguments.config) == bool(arguments.products):
        parser.error("CONFIG or --products is needed, and only one of them")
    if arguments.products and (arguments.compile or arguments.bf16 or arguments.steps):
        parser.error("--compile, --bf16 and --steps go with a CONFIG")
    if arguments.bf16:
        arguments.overrides.append('train.precision="bf16"')
    if not importlib.util.find_spec("torch"):
        fail("PyTorch is not installed for this Python: pip install torch")
    if not os.access(arguments.cria, os.X_OK):
        fail(f"{arguments.cria} is not there: run make")
    if arguments.worker:
        return (products_worker(arguments) if arguments.products else
                steps_worker(arguments, read_config(arguments.config, arguments.overrides)))
    compare, report = ((compare_products, report_products) if arguments.products else
                       (compare_steps, report_steps))
    result = compare(arguments)
    print(json.dumps(result)) if arguments.json else report(result)


if __name__ == "__main__":
    main()

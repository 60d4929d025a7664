#!/usr/bin/env python3
"""Writes bpe.json: vocabularies learned by the BpeTrainer of Hugging Face's tokenizers.

    pip install tokenizers==0.23.3
    python tests/golden/bpe.py

Words are written in the characters that stand for bytes. Running twice gives the same bytes.

    CRIA_SHARED_DATA=FOLDER python tests/golden/bpe.py

also writes bpe_text.json: checksums (64-bit FNV-1a) of what is learned from the texts in that
folder, merges as lines "left right result".
"""

import json
import os
import pathlib
import random

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).resolve().parent
ALPHABET = pre_tokenizers.ByteLevel.alphabet()


GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PATTERNS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "gpt4": pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(GPT4), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
}


def train(pre_tokenizer, texts, vocab_size, special_tokens=(), min_frequency=0):
    """The tokens in the order of their ids, and the merges as ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_frequency,
                                  special_tokens=list(special_tokens),
                                  initial_alphabet=ALPHABET, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    ids = model["vocab"]
    merges = [[ids[left], ids[right], ids[left + right]] for left, right in model["merges"]]
    return sorted(ids, key=ids.get), merges


def learn(words, vocab_size, special_tokens=(), min_frequency=0):
    tokens, merges = train(pre_tokenizers.Split("\n", "removed"),
                           ((word + "\n") * count for word, count in words.items()),
                           vocab_size, special_tokens, min_frequency)
    return {"vocab_size": vocab_size, "special_tokens": list(special_tokens),
            "min_frequency": min_frequency, "words": words, "tokens": tokens, "merges": merges}


def fnv1a(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def learn_texts(folder):
    cases = []
    for name in ("tinyshakespeare.txt", "wikitext2-valid.txt"):
        with open(folder / name, encoding="utf-8", newline="") as file:
            text = file.read()
        for pattern, pre_tokenizer in PATTERNS.items():
            for vocab_size in (500, 4000, 16000):
                _, merges = train(pre_tokenizer, [text], vocab_size)
                lines = "".join(f"{left} {right} {result}\n" for left, right, result in merges)
                cases.append({"file": name, "pattern": pattern, "vocab_size": vocab_size,
                              "merges": len(merges), "checksum": fnv1a(lines)})
    return cases


def draw(seed, letters, words, longest, most):
    """Random words: from few letters, so that pairs overlap and are equally frequent."""
    rng = random.Random(seed)
    return {"".join(rng.choice(letters) for _ in range(rng.randint(1, longest))):
            rng.randint(1, most) for _ in range(words)}


def main():
    cases = {
        "runs": learn(draw(1, "a", 6, 40, 3), 280),
        "two_letters": learn(draw(2, "aĠ", 40, 16, 4), 340),
        "all_bytes": learn(draw(3, sorted(ALPHABET), 60, 12, 2), 500),
        "syllables": learn(draw(4, ["ka", "li", "Ġ", "ma", "no", "Ċ", "Ã©"], 80, 6, 20), 400,
                           ["<|begin|>", "<|end|>"]),
        "min_frequency": learn(draw(5, "abcĠ", 60, 10, 9), 500, ["<s>"], 12),
        "special_in_text": learn(draw(6, "abĠ", 40, 12, 5), 330, ["ab", "aab", "<s>"]),
    }
    text = json.dumps(cases, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "bpe.json").write_text(text.replace('},"', '},\n"') + "\n", encoding="utf-8")

    if folder := os.environ.get("CRIA_SHARED_DATA"):
        text = json.dumps(learn_texts(pathlib.Path(folder)))
        (FOLDER / "bpe_text.json").write_text(text.replace("}, {", "},\n {") + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes tokenizer_config.json: what transformers makes of one tokenizer.json beside several
tokenizer_config.json.

    pip install transformers==5.24.0 tokenizers==0.23.3
    python tests/golden/tokenizer_config.py

The vocabulary is a small BPE with bytes to fall back on, as Llama 2's. Running twice gives the same
bytes.
"""

import json
import pathlib
import tempfile

import transformers

FOLDER = pathlib.Path(__file__).resolve().parent
SPACE = "\u2581"
NAMES = (["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] +
         [SPACE, "a", "b", SPACE + "a", "<", "|", "u", ">"])
TEXTS = ["a", "ab", " a", "  ab a", "a<|u|>a", "a<|u|> a", "\u00e9"]


def token(content, special=True):
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": special}


def tokenizer():
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    back = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    bos, text = {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, **token(NAMES[i])} for i in range(3)],
        "normalizer": {"type": "Sequence",
                       "normalizers": [{"type": "Prepend", "prepend": SPACE}, replace]},
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing", "single": [bos, text],
                           "pair": [bos, text, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence",
                    "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False,
                  "vocab": {name: i for i, name in enumerate(NAMES)},
                  "merges": [[SPACE, "a"]]}}


def configs():
    added = {str(i): token(NAMES[i]) for i in range(3)}
    added[str(len(NAMES))] = token("<|u|>", special=False)
    changes = [{}, {"add_prefix_space": False}, {"add_prefix_space": True}, {"legacy": True},
               {"add_bos_token": False}, {"add_bos_token": True, "add_eos_token": True},
               {"added_tokens_decoder": added},
               {"added_tokens_decoder": added, "legacy": True},
               {"added_tokens_decoder": added, "add_prefix_space": False}]
    roles = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    for name in ["LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", None]:
        for change in changes:
            yield {**({"tokenizer_class": name} if name else {}), **roles, **change}


def main():
    whole = tokenizer()
    cases = []
    for config in configs():
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "tokenizer.json").write_text(json.dumps(whole))
            pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps(config))
            loaded = transformers.AutoTokenizer.from_pretrained(folder)
            cases.append({"config": config, "ids": [loaded(text).input_ids for text in TEXTS]})
    lines = ["  " + json.dumps(case) for case in cases]
    out = "{\"tokenizer\": " + json.dumps(whole) + ",\n\"texts\": " + json.dumps(TEXTS)
    out += ",\n\"cases\": [\n" + ",\n".join(lines) + "\n]}\n"
    (FOLDER / "tokenizer_config.json").write_text(out)


main()

#!/usr/bin/env python3
"""Writes pretokenizer.json: strings that are hard to cut, and the pieces that others cut them into.

    pip install tokenizers==0.23.3 regex==2026.11.15
    python tests/golden/pretokenizer.py

The pieces are those of Hugging Face's tokenizers. The regex module must agree, which knows a newer
version of Unicode: no atom below has changed its class. Running twice gives the same bytes.
"""

import json
import pathlib
import random

import regex
from tokenizers import Regex, pre_tokenizers

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'rE", "'Ve", "'M", "'lL",
                "'LL", "'D", "'\u017f", "'\u212a", "'l", "'r", "'v", "'", "''", "\u2019s"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r", "\r\n", "\v", "\f", "\x85", "\xa0", "\u1680",
          "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"]
NUMBERS = ["1", "12", "123", "1234", "1234567", "\xb2", "\u2167", "\u0663\u0664", "\u3007",
           "\U0001d7d8", "\U00010d40"]  # the last is new in Unicode 16
LETTERS = ["a", "word", "Z", "\xe9", "\xaa", "\u01c5", "\u02b0", "\u0416", "\u4e2d\u6587", "\u17d7",
           "\uac00", "\ufb01", "\U00020000", "\U0001e900", "\u1c89"]  # the last is new too
OTHERS = ["!", "?!", "-", "_", "$", "...", "\0", "\x1c", "\x1f", "\x7f", "\xad", "\u0301", "\u0e31",
          "\u180e", "\u200b", "\u200d", "\u2060", "\ufeff", "\ufffd", "\uffff", "\u2192", "\u24b6",
          "\ue000", "\U0001f469\u200d\U0001f680", "\U0001f44d\U0001f3fd", "\U0001f1eb\U0001f1f7",
          "\U000e0001", "\U000fffff", "\U0010ffff", "\u0378"]  # the last is unassigned
GROUPS = [CONTRACTIONS, SPACES, NUMBERS, LETTERS, OTHERS]
RANDOM_TEXTS = 300


def texts():
    """Every atom between letters, then at an end; then atoms at random."""
    for group in GROUPS:
        for atom in group:
            yield f"x{atom}y {atom} {atom}1{atom}"
    source = random.Random(5)
    for _ in range(RANDOM_TEXTS):
        groups = source.choice([GROUPS, [SPACES], [SPACES, OTHERS], [CONTRACTIONS, LETTERS],
                                [NUMBERS, SPACES, LETTERS]])
        yield "".join(source.choice(source.choice(groups)) for _ in range(source.randint(1, 9)))


def main():
    lines = []
    for text in texts():
        case = {"text": text}
        for name, pattern in PATTERNS.items():
            split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
            pieces = [piece for piece, _ in split.pre_tokenize_str(text)]
            assert "".join(pieces) == text and pieces == regex.findall(pattern, text), (name, text)
            case[name] = [len(piece.encode()) for piece in pieces]
        lines.append(json.dumps(case, separators=(",", ":")))
    path = pathlib.Path(__file__).resolve().parent / "pretokenizer.json"
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="ascii")


if __name__ == "__main__":
    main()

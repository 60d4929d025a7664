#!/usr/bin/env python3
"""Writes the tables of Normalization Form C, from Python's unicodedata alone:

    python3.6 tools/scripts/unicode_nfc.py > src/base/unicode_nfc_table.h

The numbers, each in base 46: a digit d that another follows is written as the character '#' + 46 + d,
the last one as '#' + d; no character is '"' or above '~'. A difference n is 2 n, or -2 n - 1 if it is
negative. In the order of code points there are

    parts    3 (code point - the last one's) + kind; the first part's difference to the last one;
             unless the kind is 0, that of the second part. Kind 0: there is no second part;
             1: what is taken apart is not put together again; 2: it is
    classes  combining classes: from the end of the last range to this one's beginning, length, class
"""

import sys
import unicodedata

# The version that the normalizers of Hugging Face's tokenizers know: a newer table would change
# newer characters where they do not.
VERSION = "9.0.0"
BASE = 46
COLUMNS = 100


def number(n):
    digits = [n % BASE]
    while n >= BASE:
        n //= BASE
        digits.append(n % BASE + BASE)
    return "".join(chr(ord("#") + digit) for digit in reversed(digits))


def difference(n):
    return number(2 * n if n >= 0 else -2 * n - 1)


def tables():
    parts = classes = ""
    last, end, ranges = [0, 0, 0], 0, []
    for code_point in range(0x110000):
        character = chr(code_point)
        combining = unicodedata.combining(character)
        if ranges and ranges[-1][1:] == [code_point, combining]:
            ranges[-1][1] += 1
        elif combining:
            ranges.append([code_point, code_point + 1, combining])
        decomposition = unicodedata.decomposition(character).split()
        if not decomposition or decomposition[0].startswith("<"):
            continue
        entry = [code_point] + [int(part, 16) for part in decomposition]
        composes = unicodedata.normalize("NFC", character) == character
        kind = 0 if len(entry) == 2 else 2 if composes else 1
        parts += number(3 * (code_point - last[0]) + kind)
        parts += "".join(difference(new - old) for new, old in zip(entry[1:], last[1:]))
        last[:len(entry)] = entry
    for begin, stop, combining in ranges:
        classes += number(begin - end) + number(stop - begin) + number(combining)
        end = stop
    return {"CanonicalParts": parts, "CombiningClasses": classes}


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"unicode_nfc: this Python knows Unicode {unicodedata.unidata_version}, "
                 f"not {VERSION} (Python 3.6 does)")
    print(f"// Unicode {VERSION}: what Normalization Form C composes and takes apart, packed as")
    print("// tools/scripts/unicode_nfc.py says, which made it.")
    print("#pragma once\n\nnamespace cria {\n")
    for name, text in tables().items():
        # A line end is no digit.
        lines = [text[begin:begin + COLUMNS] for begin in range(0, len(text), COLUMNS)]
        print(f"inline constexpr char k{name}[] = R\"(\n" + "\n".join(lines) + ")\";")
    print("\n}  // namespace cria")


if __name__ == "__main__":
    main()

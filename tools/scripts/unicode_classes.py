#!/usr/bin/env python3
"""Writes the table of Unicode's letters, numbers and spaces, from Python's unicodedata alone:

    python3.14 tools/scripts/unicode_classes.py > src/base/unicode_classes_table.h

Letters are the general categories L*, numbers N*; spaces are the property White_Space: the
categories Z* and six control characters. Everything else, unassigned code points included, is
other. One entry for each code point at which the class changes.
"""

import sys
import unicodedata

# The version that the regular expressions of Hugging Face's tokenizers and of tiktoken know: a
# newer table would cut text with newer characters where they do not.
VERSION = "16.0.0"
CLASSES = {"L": "letter", "N": "number", "Z": "space"}  # by the first letter of the category
NUMBERS = {"other": 0, "letter": 1, "number": 2, "space": 3}  # enum class UnicodeClass
CONTROL_SPACES = [*range(0x09, 0x0E), 0x85]
ENTRIES_PER_LINE = 10


def class_of(code_point):
    if code_point in CONTROL_SPACES:
        return "space"
    return CLASSES.get(unicodedata.category(chr(code_point))[0], "other")


def changes():
    """Pairs of a code point and the class that begins there."""
    last = None
    for code_point in range(0x110000):
        name = class_of(code_point)
        if name != last:
            yield code_point, name
        last = name


def main():
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"unicode_classes: this Python knows Unicode {unicodedata.unidata_version}, "
                 f"not {VERSION} (Python 3.14 does)")
    entries = [f"0x{code_point << 2 | NUMBERS[name]:X}" for code_point, name in changes()]
    print(f"// Unicode {VERSION}: code point << 2 | class, wherever the class changes.")
    print("// Made by tools/scripts/unicode_classes.py.")
    print("#pragma once\n\n#include <cstdint>\n\nnamespace cria {\n")
    print("// clang-format off")
    print("inline constexpr uint32_t kClassChanges[] = {")
    for begin in range(0, len(entries), ENTRIES_PER_LINE):
        print("  " + " ".join(entry + "," for entry in entries[begin:begin + ENTRIES_PER_LINE]))
    print("};\n// clang-format on\n\n}  // namespace cria")


if __name__ == "__main__":
    main()

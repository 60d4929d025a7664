// The documents of a text file, whole.
#pragma once

#include <string>
#include <vector>

#include "prepare/text_input.h"

namespace cria {

struct Document {
  std::string where;  // FILE, or FILE:LINE
  std::string text;
};

// file: a path, a glob or "-" for standard input. Error as TextInput throws, and when there is no
// document.
std::vector<Document> read_documents(const std::string& file, const DocumentRule& rule);

}  // namespace cria

#include "io/projector.h"

#include <charconv>
#include <cmath>

#include "base/unicode.h"
#include "base/unicode_classes.h"
#include "cria/base/error.h"
#include "cria/base/file.h"

namespace cria {
namespace {

// The shortest digits that read back as the same fp32, in no locale.
void append_number(std::string& line, float value) {
  char buffer[32];  // the longest shortest form has 15 characters
  line.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

bool is_visible(uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  constexpr uint32_t kByteOrderMark = 0xFEFF;  // JavaScript trims it like a space
  return !control && unicode_class(c) != UnicodeClass::space && c != kByteOrderMark && c != '\'' &&
         c != '\\';
}

// A string of the protobuf text format.
std::string pbtxt_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

void check_relative(const std::string& path, const std::string& where) {
  std::string part;
  bool inside = !path.empty() && path.front() != '/';
  for (const char c : path + "/") {
    if (c != '/') {
      part += c;
    } else {
      inside = inside && part != "..";
      part.clear();
    }
  }
  if (!inside) {
    throw Error("the projector refuses the path",
                {.where = where,
                 .expected = "one below the directory of projector_config.pbtxt",
                 .got = quote(path)});
  }
}

}  // namespace

std::string projector_cell(std::string_view text) {
  bool plain = !text.empty();
  for (size_t offset = 0; plain && offset < text.size();) {
    const Decoded decoded = decode_utf8(text, offset);
    plain = decoded.length > 0 && is_visible(decoded.code_point);
    offset += static_cast<size_t>(decoded.length);
  }
  return plain ? std::string(text) : quote(text);
}

void write_vectors_tsv(const std::string& path, const ConstTensor& points) {
  if (points.rank != 2 || points.columns() < 2 || points.rows() < 1) {
    throw Error(
        "the projector cannot show this shape",
        {.where = path, .expected = "rows of two numbers or more", .got = points.to_string()});
  }
  AtomicFile file(path);
  std::string line;
  for (int64_t row = 0; row < points.rows(); ++row) {
    line.clear();
    for (int64_t column = 0; column < points.columns(); ++column) {
      const float value = points(row, column);
      if (!std::isfinite(value)) {
        throw Error(
            "the projector cannot show what is not finite",
            {.where = path + ": row " + std::to_string(row) + ", column " + std::to_string(column),
             .got = std::to_string(value)});
      }
      if (column > 0) line += '\t';
      append_number(line, value);
    }
    file.write(line += '\n');
  }
  file.commit();
}

void write_metadata_tsv(const std::string& path, const std::vector<std::string>& columns,
                        int64_t rows, const ProjectorRow& row) {
  if (columns.empty()) throw Error("metadata without a column", {.where = path});
  AtomicFile file(path);
  const auto write_line = [&](const std::vector<std::string>& texts, const std::string& where) {
    if (texts.size() != columns.size()) {
      throw Error("wrong number of columns", {.where = where,
                                              .expected = std::to_string(columns.size()),
                                              .got = std::to_string(texts.size())});
    }
    std::string line;
    for (const std::string& text : texts) {
      if (!line.empty()) line += '\t';
      line += projector_cell(text);
    }
    file.write(line + '\n');
  };
  if (columns.size() > 1) write_line(columns, path);
  for (int64_t i = 0; i < rows; ++i) write_line(row(i), path + ": row " + std::to_string(i));
  file.commit();
}

std::string projector_config(std::span<const ProjectorEmbedding> embeddings) {
  std::string text;
  for (const ProjectorEmbedding& embedding : embeddings) {
    const std::string where = "projector_config.pbtxt: " + quote(embedding.name);
    check_relative(embedding.vectors_path, where);
    check_relative(embedding.metadata_path, where);
    text += "embeddings {\n  tensor_name: " + pbtxt_string(embedding.name) + '\n';
    for (const int64_t size : {embedding.rows, embedding.columns}) {
      text += "  tensor_shape: " + std::to_string(size) + '\n';
    }
    text += "  tensor_path: " + pbtxt_string(embedding.vectors_path) + '\n';
    text += "  metadata_path: " + pbtxt_string(embedding.metadata_path) + "\n}\n";
  }
  return text;
}

}  // namespace cria

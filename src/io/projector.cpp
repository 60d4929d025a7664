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

std::string metadata_line(const std::vector<std::string>& texts) {
  std::vector<std::string> cells;
  for (const std::string& text : texts) cells.push_back(projector_cell(text));
  return joined(cells, "\t") + "\n";
}

std::string projector_config(const std::string& name, const ConstTensor& points,
                             const std::string& vectors_path, const std::string& metadata_path) {
  return "embeddings {\n  tensor_name: \"" + name +
         "\"\n  tensor_shape: " + std::to_string(points.rows()) +
         "\n  tensor_shape: " + std::to_string(points.columns()) + "\n  tensor_path: \"" +
         vectors_path + "\"\n  metadata_path: \"" + metadata_path + "\"\n}\n";
}

}  // namespace cria

#include "io/projector.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Strings = std::vector<std::string>;

TEST(Projector, CellsCanBeSeen) {
  EXPECT_EQ(projector_cell("the"), "the");
  EXPECT_EQ(projector_cell("<0x0A>"), "<0x0A>");
  EXPECT_EQ(projector_cell("\"\u00fc\u4e2d\""), "\"\u00fc\u4e2d\"");
  EXPECT_EQ(projector_cell(""), "''");
  EXPECT_EQ(projector_cell(" "), "' '");
  EXPECT_EQ(projector_cell(" the"), "' the'");
  EXPECT_EQ(projector_cell("\t"), "'\\t'");
  EXPECT_EQ(projector_cell("a\r\n"), "'a\\r\\n'");
  EXPECT_EQ(projector_cell("'"), "'\\''");
  EXPECT_EQ(projector_cell("\\n"), "'\\\\n'");
  for (const std::string invisible :
       {"\u00a0", "\u2028", "\ufeff", "\u3000", "\x7f", "\u0085", "\xff", "\xe4\xbd", "\x1b"}) {
    const std::string cell = projector_cell(invisible);
    EXPECT_GE(cell.size(), invisible.size() + 2);
    EXPECT_TRUE(cell.starts_with('\'') && cell.ends_with('\'')) << cell;
  }
  EXPECT_EQ(projector_cell(std::string("\0", 1)).find('\0'), std::string::npos);
}

// Different tokens have different cells, none of which breaks a line.
TEST(Projector, CellsOfAllBytesDiffer) {
  Strings cells;
  for (int byte = 0; byte < 256; ++byte) {
    cells.push_back(projector_cell(std::string(1, static_cast<char>(byte))));
    EXPECT_EQ(cells.back().find_first_of("\t\n\r"), std::string::npos) << byte;
    EXPECT_FALSE(cells.back().empty() || cells.back() == " ") << byte;
  }
  cells.push_back(projector_cell("\\n"));
  cells.push_back(projector_cell("'\\n'"));
  std::sort(cells.begin(), cells.end());
  EXPECT_EQ(std::unique(cells.begin(), cells.end()), cells.end());
}

TEST(Projector, WritesTheShortestNumbers) {
  const TemporaryDirectory directory;
  const std::string path = directory / "tensors.tsv";
  const float numbers[] = {0.1f, -1.0f, 3e-5f, 1e20f, std::numeric_limits<float>::denorm_min(), 0};
  write_vectors_tsv(path, ConstTensor(numbers, {3, 2}));
  EXPECT_EQ(read_file(path), "0.1\t-1\n3e-05\t1e+20\n1e-45\t0\n");
  // A view of the first two columns of three.
  ConstTensor strided(numbers, {2, 3});
  strided.shape[1] = 2;
  write_vectors_tsv(path, strided);
  EXPECT_EQ(read_file(path), "0.1\t-1\n1e+20\t1e-45\n");
}

TEST(Projector, RefusesPointsItCannotShow) {
  const TemporaryDirectory directory;
  const std::string path = directory / "tensors.tsv";
  const float numbers[] = {1, 2, 3, NAN};
  EXPECT_NE(error_of([&] {
              write_vectors_tsv(path, ConstTensor(numbers, {2, 2}));
            }).find("row 1, column 1: the projector cannot show"),
            std::string::npos);
  for (const ConstTensor& points :
       {ConstTensor(numbers, {4, 1}), ConstTensor(numbers, {4}), ConstTensor(numbers, {0, 2})}) {
    EXPECT_TRUE(error_of([&] { write_vectors_tsv(path, points); }).starts_with(path));
  }
  EXPECT_TRUE(directory.names().empty());
}

TEST(Projector, ALineHasACellForEachColumn) {
  EXPECT_EQ(metadata_line({"a"}), "a\n");
  EXPECT_EQ(metadata_line({"\t", "1"}), "'\\t'\t1\n");
  EXPECT_EQ(metadata_line({"", "2"}), "''\t2\n");
}

TEST(Projector, WritesTheConfig) {
  EXPECT_EQ(projector_config("token_embeddings", ConstTensor(nullptr, {260, 64}), "x/tensors.tsv",
                             "x/metadata.tsv"),
            R"(embeddings {
  tensor_name: "token_embeddings"
  tensor_shape: 260
  tensor_shape: 64
  tensor_path: "x/tensors.tsv"
  metadata_path: "x/metadata.tsv"
}
)");
}

}  // namespace
}  // namespace cria

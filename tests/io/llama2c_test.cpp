#include "io/llama2c.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "base/mutations.h"
#include "cria/base/error.h"
#include "support/bytes.h"
#include "support/errors.h"
#include "support/files.h"

namespace cria {
namespace {

using Floats = std::vector<float>;
using Role = Llama2cRole;

Llama2cHeader header_of(int version, bool tied) {
  return {.version = version,
          .dim = 8,
          .hidden_dim = 12,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .vocab_size = 5,
          .sequence_length = 3,
          .tied = tied,
          .group_size = version == 2 ? 4 : 0};
}

// Numbers that tell which tensor and element they are. Every group of 4 has a 127 and whole
// numbers: scale 1, so that version 2 keeps them.
Floats numbers(const Llama2cTensor& tensor) {
  Floats values;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const int64_t code = (static_cast<int64_t>(tensor.role) * 7 + tensor.layer * 3 + i) % 255 - 127;
    values.push_back(i % 4 == 0 ? 127.0f : static_cast<float>(code));
  }
  return values;
}

class Llama2c : public testing::Test {
 protected:
  void write(const Llama2cHeader& header) const {
    Floats values;
    write_llama2c(path_, header, [&](const Llama2cTensor& tensor) {
      values = numbers(tensor);
      return std::span<const float>(values);
    });
  }

  std::string written(const Llama2cHeader& header) const {
    write(header);
    return read_file(path_);
  }

  Llama2cFile open(const std::string& bytes) const {
    write_quickly(path_, bytes);
    return Llama2cFile(path_);
  }

  void expect_error(const std::string& bytes, const std::string& fragment) const {
    const std::string message = error_of([&] { open(bytes); });
    EXPECT_TRUE(message.starts_with(path_)) << message << " in place of " << fragment;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "model.bin";
};

Llama2cTensor tensor_of(const Llama2cFile& file, Llama2cRole role, int64_t layer) {
  return *std::ranges::find_if(file.tensors(), [&](const Llama2cTensor& tensor) {
    return tensor.role == role && tensor.layer == layer;
  });
}

Floats read_all(const Llama2cFile& file, const Llama2cTensor& tensor) {
  Floats values(static_cast<size_t>(tensor.size()));
  file.read(tensor, 0, values);
  return values;
}

TEST_F(Llama2c, ReadsWhatItWrites) {
  for (const int version : {0, 1, 2}) {
    for (const bool tied : {true, false}) {
      const Llama2cHeader header = header_of(version, tied);
      write(header);
      const Llama2cFile file(path_);
      EXPECT_EQ(file.header().version, version);
      EXPECT_EQ(file.header().tied, tied);
      EXPECT_EQ(file.header().hidden_dim, 12);
      EXPECT_EQ(file.header().vocab_size, 5);
      EXPECT_EQ(file.header().group_size, version == 2 ? 4 : 0);
      EXPECT_EQ(file.tensors().size(), 2u * 9 + 2 + !tied);
      for (const Llama2cTensor& tensor : file.tensors()) {
        const Floats wanted = numbers(tensor);
        EXPECT_EQ(read_all(file, tensor), wanted) << tensor.name() << " of version " << version;
        Floats part(3);
        file.read(tensor, 2, part);
        EXPECT_TRUE(std::equal(part.begin(), part.end(), wanted.begin() + 2)) << tensor.name();
      }
      EXPECT_EQ(tensor_of(file, Role::key, 1).rows, 4);
      EXPECT_EQ(tensor_of(file, Role::down, 0).columns, 12);
      EXPECT_EQ(tensor_of(file, Role::value, 1).name(), "wv of layer 1");
    }
  }
}

// The offsets of the format, by hand: dim 8, hidden 12, 2 layers, key rows 4, vocabulary 5.
TEST_F(Llama2c, PutsTensorsWhereTheFormatSays) {
  const auto offset_of = [](int version, Role role, int64_t layer) -> uint64_t {
    for (const Llama2cTensor& tensor : llama2c_tensors(header_of(version, false), "")) {
      if (tensor.role == role && tensor.layer == layer) return tensor.offset;
    }
    return 0;
  };
  EXPECT_EQ(offset_of(0, Role::embedding, 0), 28u);
  EXPECT_EQ(offset_of(0, Role::attention_norm, 1), 28u + 4 * (40 + 8));
  EXPECT_EQ(offset_of(0, Role::query, 0), 28u + 4 * (40 + 16));
  const uint64_t norms = 40 + 16, attention = 2 * (64 + 32 + 32 + 64);
  EXPECT_EQ(offset_of(0, Role::mlp_norm, 0), 28 + 4 * (norms + attention));
  EXPECT_EQ(offset_of(0, Role::down, 1), 28 + 4 * (norms + attention + 16 + 3 * 96));
  EXPECT_EQ(offset_of(0, Role::final_norm, 0), 28 + 4 * (norms + attention + 16 + 6 * 96));
  EXPECT_EQ(offset_of(0, Role::head, 0), 28 + 4 * (norms + attention + 16 + 6 * 96 + 8 + 3 * 2));
  EXPECT_EQ(offset_of(1, Role::attention_norm, 0), 256u);
  EXPECT_EQ(offset_of(1, Role::mlp_norm, 0), 256u + 4 * 16);
  EXPECT_EQ(offset_of(1, Role::final_norm, 0), 256u + 4 * 32);
  EXPECT_EQ(offset_of(1, Role::embedding, 0), 256u + 4 * 40);
  EXPECT_EQ(offset_of(1, Role::head, 0), 256 + 4 * (40 + 40 + attention + 6 * 96));
  EXPECT_EQ(offset_of(2, Role::embedding, 0), 256u + 4 * 40);
  EXPECT_EQ(offset_of(2, Role::query, 0), 256u + 4 * 40 + 40 * 2);  // a byte, and 4 for each 4
  EXPECT_EQ(offset_of(2, Role::query, 1), 256u + 4 * 40 + 40 * 2 + 64 * 2);
}

TEST_F(Llama2c, WritesTheFormatsHeaders) {
  const std::string numbers = raw<int32_t>({8, 12, 2, 4, 2, 5, 3});
  const std::string untied = raw<int32_t>({8, 12, 2, 4, 2, -5, 3});
  EXPECT_EQ(written(header_of(0, true)).substr(0, 28), numbers);
  EXPECT_EQ(written(header_of(0, false)).substr(0, 28), untied);
  const std::string magic = from_hex("32 34 6b 61");
  EXPECT_EQ(written(header_of(1, true)).substr(0, 256),
            magic + raw<int32_t>({1}) + numbers + '\x01' + std::string(219, '\0'));
  EXPECT_EQ(
      written(header_of(2, false)).substr(0, 256),
      magic + raw<int32_t>({2}) + numbers + '\0' + raw<int32_t>({4}) + std::string(215, '\0'));
}

// Two frequencies, 1 and 0.01; three positions. Cosines first.
TEST_F(Llama2c, WritesRotaryTables) {
  Llama2cHeader header = header_of(0, true);
  header.heads = header.kv_heads = 2;
  const std::string bytes = written(header);
  Floats tables(12);
  std::memcpy(tables.data(), bytes.data() + bytes.size() - 48, 48);
  for (int position = 0; position < 3; ++position) {
    for (int pair = 0; pair < 2; ++pair) {
      const double angle = position * (pair == 0 ? 1.0 : 0.01);
      // One rounding of the angle, and the function's own.
      EXPECT_NEAR(tables[2 * position + pair], std::cos(angle), 3e-7);
      EXPECT_NEAR(tables[6 + 2 * position + pair], std::sin(angle), 3e-7);
    }
  }
}

TEST_F(Llama2c, RoundsHalfToEven) {
  Llama2cHeader header = header_of(2, true);
  header.dim = 8;
  header.group_size = 2;
  const float tiny = std::numeric_limits<float>::denorm_min();
  // Pairs: scale 1; zeros; a scale below all of fp32; a scale of one subnormal step.
  const Floats embedding = {127,   0.5f,       -127,     1.5f, 127, -2.5f, 0,     -0.0f, tiny,
                            -tiny, 190 * tiny, 3 * tiny, 254,  3,   1.0f,  -0.3f, 127,   -127};
  write_llama2c(path_, header, [&, values = Floats()](const Llama2cTensor& tensor) mutable {
    values.assign(static_cast<size_t>(tensor.size()), 0.0f);
    if (tensor.role == Role::embedding) std::copy_n(embedding.begin(), 18, values.begin());
    return std::span<const float>(values);
  });
  const uint64_t begin = tensor_of(Llama2cFile(path_), Role::embedding, 0).offset;
  const std::string bytes = read_file(path_);
  EXPECT_EQ(bytes.substr(begin, 18), raw<int8_t>({127, 0, -127, 2, 127, -2, 0, 0, 0, 0, 127, 3, 127,
                                                  2, 127, -38, 127, -127}));
  const float third = 1.0f / 127.0f;
  EXPECT_EQ(bytes.substr(begin + 40, 36), raw<float>({1, 1, 1, 0, 0, tiny, 2, third, 1}));
}

TEST_F(Llama2c, ChoosesAGroupSize) {
  EXPECT_EQ(llama2c_group_size(64, 288, 768), 32);
  EXPECT_EQ(llama2c_group_size(64, 256, 688), 16);
  EXPECT_EQ(llama2c_group_size(64, 7, 21), 1);
  EXPECT_EQ(llama2c_group_size(128, 4096, 11008), 128);
}

TEST_F(Llama2c, RefusesWhatTheFormatCannotHold) {
  const auto expect_refused = [&](auto change, const std::string& fragment) {
    Llama2cHeader header = header_of(2, true);
    change(header);
    const std::string message = error_of([&] { write(header); });
    EXPECT_TRUE(message.starts_with(path_)) << message;
    EXPECT_NE(message.find(fragment), message.npos) << fragment << " in " << message;
  };
  using H = Llama2cHeader;
  expect_refused([](H& h) { h.version = 3; }, "version 0, 1 or 2");
  expect_refused([](H& h) { h.dim = 0; }, "dim of 1 to 1048576");
  expect_refused([](H& h) { h.hidden_dim = -1; }, "hidden_dim of 1 to");
  expect_refused([](H& h) { h.layers = 1025; }, "n_layers of 1 to 1024\n  got: 1025");
  expect_refused([](H& h) { h.vocab_size = 1 << 25; }, "vocab_size of 1 to");
  expect_refused([](H& h) { h.sequence_length = 0; }, "seq_len of 1 to");
  expect_refused([](H& h) { h.heads = 3; }, "n_heads that divides dim 8");
  expect_refused([](H& h) { h.kv_heads = 3; }, "n_kv_heads that divides n_heads 4");
  expect_refused([](H& h) { h.heads = h.kv_heads = 8; }, "an even head size");
  for (const int64_t size : {0, 8, 3, 8192}) {
    expect_refused([&](H& h) { h.group_size = size; }, "a group size of 1 to 4096");
  }
  expect_refused([](H& h) { h.version = 1; }, "no group size before version 2");
  const auto source_of = [](int64_t extra, float value) {
    return [=, values = Floats()](const Llama2cTensor& tensor) mutable {
      values.assign(static_cast<size_t>(tensor.size() + extra), value);
      return std::span<const float>(values);
    };
  };
  const auto error_with = [&](int64_t extra, float value) {
    return error_of([&] { write_llama2c(path_, header_of(2, true), source_of(extra, value)); });
  };
  EXPECT_NE(error_with(1, 0).find("the attention norm of layer 0: wrong size"), std::string::npos);
  for (const float value : {NAN, INFINITY}) {
    EXPECT_NE(error_with(0, value).find("the token embedding: cannot quantize"), std::string::npos);
  }
  EXPECT_TRUE(directory_.names().empty());
}

TEST_F(Llama2c, RefusesDamagedFiles) {
  const std::string zero = written(header_of(0, false)), one = written(header_of(1, true));
  const std::string two = written(header_of(2, true));
  for (const std::string& bytes : {zero, one, two}) {
    for (const size_t size : {size_t{0}, size_t{3}, size_t{27}, size_t{30}, bytes.size() - 1}) {
      if (size <= 27) {
        expect_error(bytes.substr(0, size), "the file ends too early");
      } else {
        EXPECT_NE(error_of([&] { open(bytes.substr(0, size)); }), "");
      }
    }
    expect_error(bytes + "x", "the file does not have the size its header says");
  }
  for (size_t field = 0; field < 7; ++field) {
    expect_error(patched(zero, 4 * field, std::string(4, '\0')), " of 1 to ");
    expect_error(patched(one, 8 + 4 * field, std::string(4, '\xff')), " of 1 to ");
  }
  expect_error(patched(zero, 20, raw({INT32_MIN})), "vocab_size of 1 to");
  expect_error(patched(zero, 4, raw({13})), "does not have the size");
  expect_error(patched(zero, 12, raw({8})), "an even head size");
  expect_error(patched(zero, 16, raw({3})), "n_kv_heads that divides");
  expect_error(patched(one, 4, raw({0})), "unknown version\n  expected: 1 or 2\n  got: 0");
  expect_error(patched(one, 4, raw({3})), "unknown version");
  expect_error(patched(one, 36, "\x02"), "shared_classifier 0 or 1");
  expect_error(patched(one, 36, std::string(1, '\0')), "does not have the size");
  expect_error(patched(one, 37, "\x04"), "zeros to the end of the header");
  expect_error(patched(two, 255, "\x01"), "zeros to the end of the header");
  expect_error(patched(two, 37, raw({0})), "a group size of 1 to 4096");
  expect_error(patched(two, 37, raw({8})), "that divides dim and hidden_dim");
  expect_error(patched(two, 37, raw({2})), "does not have the size");
}

TEST_F(Llama2c, RefusesRangesOutsideOfATensor) {
  const Llama2cFile file = open(written(header_of(0, true)));
  const Llama2cTensor norm = tensor_of(file, Role::final_norm, 0);
  Floats out(4);
  file.read(norm, 4, out);
  for (const int64_t first : {int64_t{-1}, int64_t{5}, int64_t{9}, INT64_MAX}) {
    EXPECT_NE(error_of([&] { file.read(norm, first, out); }).find("outside of the tensor"),
              std::string::npos);
  }
}

// A sparse file: what lies behind 4 GB is found.
TEST_F(Llama2c, ReadsBeyondFourGigabytes) {
  Llama2cHeader header = header_of(0, false);
  header.dim = 1 << 12;
  header.vocab_size = 1 << 18;
  header.heads = header.kv_heads = 64;
  const std::vector<Llama2cTensor> tensors = llama2c_tensors(header, path_);
  const uint64_t end = tensors.back().offset + 4 * static_cast<uint64_t>(tensors.back().size());
  ASSERT_GT(tensors.back().offset, uint64_t{1} << 32);
  write_quickly(path_, raw<int32_t>({1 << 12, 12, 2, 64, 64, -(1 << 18), 3}));
  std::filesystem::resize_file(path_, end);
  std::fstream(path_, std::ios::binary | std::ios::in | std::ios::out)
          .seekp(static_cast<std::streamoff>(end - 4))
      << raw({7.0f});
  const Llama2cFile file(path_);
  Floats last(2);
  file.read(tensor_of(file, Role::head, 0), tensors.back().size() - 2, last);
  EXPECT_EQ(last, (Floats{0, 7}));
}

TEST_F(Llama2c, DamagedFilesReadOrThrow) {
  std::vector<std::string> files;
  for (const int version : {0, 1, 2}) files.push_back(written(header_of(version, version == 1)));
  Rng rng(1, "llama2c");
  int read_whole = 0;
  for (int i = 0; i < 6000; ++i) {
    // Damage to the numbers alone leaves the size right where it changes nothing.
    const std::string& whole = files[rng.below(files.size())];
    const size_t cut = i % 2 == 0 ? 64 : whole.size();
    const std::string bytes = mutated({whole.substr(0, cut)}, rng) + whole.substr(cut);
    const std::string message = error_of([&] {
      const Llama2cFile file = open(bytes);
      for (const Llama2cTensor& tensor : file.tensors()) read_all(file, tensor);
      ++read_whole;
    });
    ASSERT_TRUE(message.empty() || message.starts_with(path_)) << message;
  }
  EXPECT_GT(read_whole, 100);
  EXPECT_LT(read_whole, 5900);
}

}  // namespace
}  // namespace cria

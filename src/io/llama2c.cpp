#include "io/llama2c.h"

#include <algorithm>
#include <cstring>

#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/llama2c_layout.h"

namespace cria {
namespace {

struct Bound {
  const char* name;
  int64_t Llama2cHeader::*value;
  int64_t most;
};
// The fields in the order of the file. No model has larger ones: the file is then of another kind.
constexpr Bound kBounds[] = {
    {"dim", &Llama2cHeader::dim, 1 << 20},
    {"hidden_dim", &Llama2cHeader::hidden_dim, 1 << 22},
    {"n_layers", &Llama2cHeader::layers, 1 << 10},
    {"n_heads", &Llama2cHeader::heads, 1 << 20},
    {"n_kv_heads", &Llama2cHeader::kv_heads, 1 << 20},
    {"vocab_size", &Llama2cHeader::vocab_size, 1 << 24},
    {"seq_len", &Llama2cHeader::sequence_length, 1 << 24},
};
constexpr int64_t kMaxGroupSize = 4096;

constexpr const char* kNames[] = {"the token embedding",
                                  "the attention norm",
                                  "wq",
                                  "wk",
                                  "wv",
                                  "wo",
                                  "the MLP norm",
                                  "w1",
                                  "w2",
                                  "w3",
                                  "the final norm",
                                  "the output head"};  // as Llama2cRole

bool is_per_layer(Llama2cRole role) {
  return role != Llama2cRole::embedding && role != Llama2cRole::final_norm &&
         role != Llama2cRole::head;
}

std::vector<Llama2cRole> order(const Llama2cHeader& header) {
  using enum Llama2cRole;
  std::vector<Llama2cRole> roles;
  if (header.version == 0) {
    roles = {embedding, attention_norm, query, key, value, output, mlp_norm, gate, down, up};
    roles.push_back(final_norm);
  } else {
    roles = {attention_norm, mlp_norm, final_norm, embedding, query, key, value, output};
    roles.insert(roles.end(), {gate, down, up});
  }
  if (!header.tied) roles.push_back(head);
  return roles;
}

Llama2cTensor shape_of(Llama2cRole role, const Llama2cHeader& h) {
  using enum Llama2cRole;
  const int64_t kv_dim = h.dim / h.heads * h.kv_heads;
  Llama2cTensor tensor{.role = role,
                       .layer = 0,
                       .rows = h.dim,
                       .columns = h.dim,
                       .quantized = h.version == 2 && !is_norm(role),
                       .offset = 0};
  if (is_norm(role)) tensor.rows = 1;
  if (role == embedding || role == head) tensor.rows = h.vocab_size;
  if (role == key || role == value) tensor.rows = kv_dim;
  if (role == gate || role == up) tensor.rows = h.hidden_dim;
  if (role == down) tensor.columns = h.hidden_dim;
  return tensor;
}

void check(const Llama2cHeader& h, const std::string& where) {
  const auto fail = [&](const std::string& expected, int64_t got) {
    throw Error("not a model of llama2.c",
                {.where = where, .expected = expected, .got = std::to_string(got)});
  };
  if (h.version < 0 || h.version > 2) fail("version 0, 1 or 2", h.version);
  for (const auto& [name, value, most] : kBounds) {
    if (h.*value < 1 || h.*value > most) {
      fail(std::string(name) + " of 1 to " + std::to_string(most), h.*value);
    }
  }
  if (h.dim % h.heads != 0) fail("n_heads that divides dim " + std::to_string(h.dim), h.heads);
  if (h.heads % h.kv_heads != 0) {
    fail("n_kv_heads that divides n_heads " + std::to_string(h.heads), h.kv_heads);
  }
  if (h.dim / h.heads % 2 != 0) fail("an even head size", h.dim / h.heads);
  if (h.version != 2 && h.group_size != 0) fail("no group size before version 2", h.group_size);
  if (h.version == 2 && (h.group_size < 1 || h.group_size > kMaxGroupSize ||
                         h.dim % h.group_size != 0 || h.hidden_dim % h.group_size != 0)) {
    fail("a group size of 1 to 4096 that divides dim and hidden_dim", h.group_size);
  }
}

// The seven numbers, which begin where the reader is.
void read_numbers(ByteReader& reader, Llama2cHeader& header) {
  for (const Bound& bound : kBounds) {
    header.*bound.value = reader.number<int32_t>(bound.name);
  }
}

Llama2cHeader read_header(std::string_view file, const std::string& path) {
  ByteReader reader(file, path);
  Llama2cHeader header;
  if (file.size() < 4 || load<uint32_t>(file.data()) != kLlama2cMagic) {
    read_numbers(reader, header);
    header.tied = header.vocab_size > 0;
    header.vocab_size = std::abs(header.vocab_size);
    return header;
  }
  reader.number<uint32_t>("the magic number");
  header.version = reader.number<int32_t>("the version");
  if (header.version != 1 && header.version != 2) {
    throw Error("unknown version",
                {.where = path, .expected = "1 or 2", .got = std::to_string(header.version)});
  }
  read_numbers(reader, header);
  const uint8_t tied = reader.number<uint8_t>("shared_classifier");
  if (tied > 1) {
    throw Error(
        "not a model of llama2.c",
        {.where = path, .expected = "shared_classifier 0 or 1", .got = std::to_string(tied)});
  }
  header.tied = tied == 1;
  if (header.version == 2) {
    header.group_size = reader.number<int32_t>("the group size");
  }
  const std::string_view padding =
      reader.take(kLlama2cHeaderBytes - reader.offset(), "zeros to the end of the header");
  if (padding.find_first_not_of('\0') != padding.npos) {
    throw Error("not a model of llama2.c",
                {.where = path, .expected = "zeros to the end of the header"});
  }
  return header;
}

}  // namespace

bool is_norm(Llama2cRole role) {
  return role == Llama2cRole::attention_norm || role == Llama2cRole::mlp_norm ||
         role == Llama2cRole::final_norm;
}

bool is_llama2c(std::string_view file) {
  if (file.size() < 4 * std::size(kBounds)) return false;
  if (load<uint32_t>(file.data()) == kLlama2cMagic) return true;
  const std::string unused;
  ByteReader reader(file, unused);
  Llama2cHeader header;
  read_numbers(reader, header);
  header.vocab_size = std::abs(header.vocab_size);
  return std::ranges::all_of(kBounds, [&](const Bound& bound) {
    return header.*bound.value >= 1 && header.*bound.value <= bound.most;
  });
}

std::string Llama2cTensor::name() const {
  const std::string kind = kNames[static_cast<size_t>(role)];
  return is_per_layer(role) ? kind + " of layer " + std::to_string(layer) : kind;
}

// Version 0 is the seven numbers and fp32; the others begin with 256 bytes. All layers of a role
// stand together. Version 2 quantizes all but the norms: numbers of one byte, then fp32 scales.
// Within the bounds no sum here reaches 2^64.
std::vector<Llama2cTensor> llama2c_tensors(const Llama2cHeader& header, const std::string& where) {
  check(header, where);
  std::vector<Llama2cTensor> tensors;
  uint64_t offset = header.version == 0 ? 4 * std::size(kBounds) : kLlama2cHeaderBytes;
  for (const Llama2cRole role : order(header)) {
    if (role == Llama2cRole::head && header.version == 0) offset += llama2c_rope_bytes(header);
    const int64_t count = is_per_layer(role) ? header.layers : 1;
    for (int64_t layer = 0; layer < count; ++layer) {
      Llama2cTensor tensor = shape_of(role, header);
      tensor.layer = layer;
      tensor.offset = offset;
      offset += llama2c_bytes(tensor, header);
      tensors.push_back(tensor);
    }
  }
  return tensors;
}

int64_t llama2c_group_size(int64_t wanted, int64_t dim, int64_t hidden_dim) {
  int64_t size = std::clamp<int64_t>(wanted, 1, kMaxGroupSize);
  while (dim % size != 0 || hidden_dim % size != 0) size /= 2;
  return size;
}

Llama2cFile::Llama2cFile(const std::string& path) : file_(path) {
  const uint64_t size = file_.bytes().size();
  header_ = read_header(file_.bytes(), path);
  tensors_ = llama2c_tensors(header_, path);
  const Llama2cTensor& last = tensors_.back();
  uint64_t end = last.offset + llama2c_bytes(last, header_);
  // Tables of version 0 that nobody reads end the file when no head follows.
  if (header_.version == 0 && header_.tied) end += llama2c_rope_bytes(header_);
  if (size != end) {
    throw Error(
        "the file does not have the size its header says",
        {.where = path,
         .expected = std::to_string(end) + " bytes",
         .got = std::to_string(size),
         .hint = size < end ? "is the file cut off, or another format?" : "is it another format?"});
  }
}

std::string_view Llama2cFile::bytes(const Llama2cTensor& tensor) const {
  return file_.bytes().substr(tensor.offset, llama2c_bytes(tensor, header_));
}

void Llama2cFile::read(const Llama2cTensor& tensor, int64_t first, std::span<float> out) const {
  const int64_t count = static_cast<int64_t>(out.size());
  if (first < 0 || first > tensor.size() || count > tensor.size() - first) {
    throw Error("outside of the tensor",
                {.where = path() + ": " + tensor.name(),
                 .expected = "elements 0 to " + std::to_string(tensor.size()),
                 .got = std::to_string(count) + " from element " + std::to_string(first)});
  }
  if (out.empty()) return;
  const char* const begin = file_.bytes().data() + tensor.offset;
  if (!tensor.quantized) {
    std::memcpy(out.data(), begin + 4 * first, out.size_bytes());
    return;
  }
  // weight = q * scale of its group
  const char* const scales = begin + tensor.size();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = first + i;
    const float scale = std::bit_cast<float>(load<uint32_t>(scales + at / header_.group_size * 4));
    out[static_cast<size_t>(i)] = static_cast<float>(static_cast<int8_t>(begin[at])) * scale;
  }
}

}  // namespace cria

// Readers of tensors: safetensors, GGUF, llama2.c, .npy, and whole models in them.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/base/json.h"
#include "cria/exchange/load_model.h"
#include "cria/exchange/model_directory.h"
#include "exchange/gguf_model.h"
#include "exchange/llama2c_model.h"
#include "exchange/tensor_file.h"
#include "fuzz/target.h"
#include "io/bytes.h"
#include "io/gguf.h"
#include "io/llama2c.h"
#include "io/llama2c_layout.h"
#include "io/llama2c_tokenizer.h"
#include "io/npy.h"
#include "io/safetensors.h"

namespace cria {
namespace {

// Every number of every tensor is read.
void read_all(const TensorFile& file) {
  std::vector<float> numbers;
  for (const FileTensor& tensor : file.tensors()) {
    if (!tensor.read) continue;
    numbers.resize(static_cast<size_t>(tensor.size()));
    tensor.read(0, tensor.size(), numbers.data());
    if (!tensor.hugging_face_name.empty()) {
      as_hugging_face(tensor).read(0, tensor.size(), numbers.data());
    }
  }
}

void read_safetensors(const FuzzParts&) {
  read_all(TensorFile("a.safetensors"));
}

void read_index(const FuzzParts&) {
  read_all(TensorFile("model.safetensors.index.json"));
}

// The length of a header is up to the brace that closes its first one; as many data follow as its
// tensors end at.
std::string repaired_safetensors(std::string bytes) {
  constexpr size_t kLength = 8, kMostData = 4096;
  size_t end = kLength;
  int depth = 0;
  for (bool quoted = false; end < bytes.size(); ++end) {
    if (bytes[end] == '\\' && quoted)
      ++end;
    else if (bytes[end] == '"')
      quoted = !quoted;
    else if (!quoted)
      depth += (bytes[end] == '{') - (bytes[end] == '}');
    if (depth == 0) break;
  }
  if (end >= bytes.size()) return bytes;
  const uint64_t length = end + 1 - kLength;
  std::memcpy(bytes.data(), &length, kLength);
  uint64_t data = 0;
  try {
    const Json header = Json::parse(bytes.substr(kLength, length), "");
    for (const auto& [name, entry] : header.as_object("")) {
      const Json* const range = entry.find("data_offsets");
      if (range) data = std::max(data, static_cast<uint64_t>(range->as_array("").at(1).as_int("")));
    }
  } catch (const std::exception&) {
    return bytes;
  }
  if (data <= kMostData) bytes.resize(kLength + length + data);
  return bytes;
}

void read_gguf(const FuzzParts&) {
  const GgufFile file("a.gguf");
  for (const auto& [key, value] : file.metadata())
    require(file.has(key), "a key that is not there");
  read_all(TensorFile(file));
}

void read_described_gguf(const FuzzParts& parts) {
  write_input("a.gguf", described_gguf(parts[0]));
  const LoadedModel loaded = read_gguf_model("a.gguf");
  if (loaded.tokenizer) check_tokenizer(*loaded.tokenizer, parts[1]);
}

void read_llama2c(const FuzzParts&) {
  read_all(TensorFile(Llama2cFile("model.bin")));
  read_llama2c_model("model.bin");
}

void read_pieces(const FuzzParts& parts) {
  const std::vector<Llama2cPiece> pieces = read_llama2c_tokenizer("tokenizer.bin");
  std::string again;
  try {
    again = llama2c_tokenizer_bytes(pieces, "again");
  } catch (const Error&) {
    return;  // it can be read, but not by run.c
  }
  require(again.substr(4) == parts[0].substr(4), "pieces that come back as others");
}

// Of version 0, and of 1 and 2: as long as the header says.
std::string repaired_llama2c(std::string bytes) {
  constexpr size_t kMost = 1 << 14;
  const auto number = [&](size_t at) {
    int32_t value = 0;
    if (at + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  };
  Llama2cHeader header;
  const bool versioned = number(0) == static_cast<int32_t>(kLlama2cMagic);
  size_t at = versioned ? 8 : 0;
  for (int64_t Llama2cHeader::*field :
       {&Llama2cHeader::dim, &Llama2cHeader::hidden_dim, &Llama2cHeader::layers,
        &Llama2cHeader::heads, &Llama2cHeader::kv_heads, &Llama2cHeader::vocab_size,
        &Llama2cHeader::sequence_length}) {
    header.*field = number(at);
    at += 4;
  }
  if (versioned) {
    header.version = number(4);
    header.tied = at >= bytes.size() || bytes[at] == 1;
    if (header.version == 2) header.group_size = number(at + 1);
  } else {
    header.tied = header.vocab_size > 0;
    header.vocab_size = std::abs(header.vocab_size);
  }
  try {
    if (header.layers > 4) return bytes;
    const Llama2cTensor last = llama2c_tensors(header, "").back();
    uint64_t size = last.offset + llama2c_bytes(last, header);
    if (header.version == 0 && header.tied) size += llama2c_rope_bytes(header);
    if (size <= kMost) bytes.resize(size);
  } catch (const Error&) {
  }
  return bytes;
}

void read_array(const FuzzParts&) {
  const NpyArray array = read_npy("a.npy");
  write_npy("again.npy", array.shape, array.values);
  const NpyArray again = read_npy("again.npy");
  require(again.shape == array.shape && bytes_of(again.values) == bytes_of(array.values),
          "an array that comes back as another");
}

// The header of version 1.0 ends at the first line break; as many data follow as its numbers say.
std::string repaired_npy(std::string bytes) {
  constexpr size_t kBegin = 10, kMost = 4096;
  const size_t end = bytes.find('\n', kBegin), width = bytes.find('f', kBegin);
  const size_t shape = bytes.find('(', kBegin);
  if (end == bytes.npos || width >= end || shape >= end) return bytes;
  const uint16_t length = static_cast<uint16_t>(end + 1 - kBegin);
  std::memcpy(bytes.data() + kBegin - 2, &length, sizeof length);
  size_t size = static_cast<size_t>(bytes[width + 1] - '0');
  for (size_t at = shape + 1; at < end && bytes[at] != ')';) {
    const size_t digits = std::min(bytes.find_first_not_of("0123456789", at), end);
    if (digits > at) size *= std::strtoull(bytes.c_str() + at, nullptr, 10);
    at = std::max(digits, at + 1);
  }
  if (size <= kMost) bytes.resize(end + 1 + size);
  return bytes;
}

void read_directory(const FuzzParts&) {
  load_model(".");
}

}  // namespace

std::vector<FuzzTarget> tensor_targets() {
  return {{"safetensors", {"a.safetensors"}, read_safetensors, repaired_safetensors},
          {"safetensors_index",
           {"model.safetensors.index.json", "a.safetensors", "b.safetensors"},
           read_index},
          {"model_directory", {"config.json", "model.safetensors"}, read_directory},
          {"gguf", {"a.gguf"}, read_gguf},
          {"gguf_model", {"description", "text"}, read_described_gguf},
          {"llama2c", {"model.bin"}, read_llama2c, repaired_llama2c},
          {"llama2c_tokenizer", {"tokenizer.bin"}, read_pieces},
          {"npy", {"a.npy"}, read_array, repaired_npy}};
}

}  // namespace cria

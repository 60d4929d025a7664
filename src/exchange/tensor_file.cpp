#include "exchange/tensor_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "exchange/gguf_keys.h"
#include "exchange/llama_names.h"
#include "exchange/rope_layout.h"
#include "io/gguf.h"
#include "io/llama2c.h"
#include "io/safetensors.h"

namespace cria {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexEnd = ".index.json";

// The first bytes show the format. The length that begins a safetensors file has high bytes of 0.
std::optional<TensorFileFormat> format_of(std::string_view bytes) {
  if (bytes.starts_with("GGUF")) return TensorFileFormat::gguf;
  if (bytes.size() > 8 && bytes[8] == '{' && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4))
    return TensorFileFormat::safetensors;
  if (is_llama2c(bytes)) return TensorFileFormat::llama2c;
  return std::nullopt;
}

// Any elements, also of blocks that begin before them or end behind them.
FileTensor::Read reader(const StoredTensor& tensor) {
  if (!tensor.format) return {};
  return [format = *tensor.format, data = tensor.bytes.data()](int64_t first, int64_t count,
                                                               float* out) {
    const int64_t block = block_size(format);
    const int64_t begin = first / block * block, end = (first + count + block - 1) / block * block;
    const char* const source = data + encoded_bytes(format, begin);
    if (begin == first && end == first + count) return decode_numbers(format, source, count, out);
    std::vector<float> blocks(static_cast<size_t>(end - begin));
    decode_numbers(format, source, end - begin, blocks.data());
    std::copy_n(blocks.begin() + (first - begin), count, out);
  };
}

// Says in a message what a file is instead.
std::string beginning_of(const std::string& path) {
  return "a file that begins with " + quote(MappedFile(path).bytes().substr(0, 8));
}

FileTensor file_tensor(const StoredTensor& tensor) {
  return {.name = tensor.name,
          .dtype = tensor.dtype,
          .shape = tensor.shape,
          .bytes = tensor.bytes,
          .where = tensor.where,
          .read = reader(tensor),
          .hugging_face_name = {}};
}

}  // namespace

const char* format_name(TensorFileFormat format) {
  constexpr const char* kNames[] = {"safetensors", "GGUF", "llama2.c"};
  return kNames[static_cast<size_t>(format)];
}

std::optional<TensorFileFormat> tensor_file_format(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const std::string weights = join_path(path, "model.safetensors");
    const bool found = exists(weights) || exists(weights + std::string(kIndexEnd));
    return found ? std::optional(TensorFileFormat::safetensors) : std::nullopt;
  }
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  if (path.ends_with(kIndexEnd)) return TensorFileFormat::safetensors;
  return format_of(MappedFile(path).bytes());
}

int64_t FileTensor::size() const {
  return row_count(shape) * row_size(shape);
}

void FileTensor::require_numbers() const {
  if (read) return;
  throw Error("wrong dtype", {.where = where, .expected = "F32, F16, BF16 or Q8_0", .got = dtype});
}

bool FileTensor::is_computed() const {
  // Only GGUF has a tensor of this name, which is none of Hugging Face's.
  return name.ends_with("rotary_emb.inv_freq") ||
         (hugging_face_name.empty() && name == kRopeFrequencies);
}

FileTensor as_hugging_face(const FileTensor& tensor) {
  FileTensor result = tensor;
  result.name = tensor.hugging_face_name;
  result.interleaved_heads = 0;
  const int64_t rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  const int64_t heads = tensor.interleaved_heads;
  if (heads == 0 || !tensor.read || heads > rows / 2 || rows % (2 * heads) != 0) return result;
  result.bytes = {};  // in another order
  result.read = [read = tensor.read, d = rows / heads, size = tensor.size() / rows](
                    int64_t first, int64_t count, float* out) {
    // Row by row, of which the first and the last may be parts.
    for (int64_t done = 0, step; done < count; done += step) {
      const int64_t row = (first + done) / size, column = (first + done) % size;
      step = std::min(count - done, size - column);
      read(interleaved_row(row, d) * size + column, step, out + done);
    }
  };
  return result;
}

TensorFile::TensorFile(const std::string& path) {
  const std::optional<TensorFileFormat> format = tensor_file_format(path);
  if (!format) {
    std::error_code ignored;
    const bool directory = fs::is_directory(path, ignored);
    throw Error(directory ? "no weights here" : "not a file of tensors",
                {.where = path,
                 .expected = directory ? "model.safetensors or model.safetensors.index.json"
                                       : "safetensors, GGUF or a model of llama2.c",
                 .got = directory ? "neither" : beginning_of(path)});
  }
  const auto keep = [&](const auto& file) {
    *this = TensorFile(*file);
    path_ = path;
    file_ = file;
  };
  using enum TensorFileFormat;
  if (*format == safetensors) keep(std::make_shared<const SafetensorsFile>(path));
  if (*format == gguf) keep(std::make_shared<const GgufFile>(path));
  if (*format == llama2c) keep(std::make_shared<const Llama2cFile>(path));
}

TensorFile::TensorFile(const SafetensorsFile& file)
    : TensorFile(file.path(), TensorFileFormat::safetensors) {
  for (const StoredTensor& entry : file.entries()) {
    tensors_.push_back(file_tensor(entry));
    tensors_.back().hugging_face_name = entry.name;
  }
}

TensorFile::TensorFile(const GgufFile& file) : TensorFile(file.path(), TensorFileFormat::gguf) {
  const bool llama =
      file.has("general.architecture") && file.text("general.architecture") == "llama";
  const auto count = [&](const char* key) { return file.has(key) ? file.integer(key) : 0; };
  const int64_t heads = llama ? count("llama.attention.head_count") : 0;
  const int64_t kv_heads = llama ? count("llama.attention.head_count_kv") : 0;
  for (const StoredTensor& entry : file.entries()) {
    FileTensor& tensor = tensors_.emplace_back(file_tensor(entry));
    if (!llama || heads < 1) continue;
    tensor.hugging_face_name = hugging_face_name(entry.name);
    const std::string_view name = tensor.hugging_face_name;
    if (name.find(".q_proj.") != name.npos) tensor.interleaved_heads = heads;
    if (name.find(".k_proj.") != name.npos) {
      tensor.interleaved_heads = kv_heads > 0 ? kv_heads : heads;
    }
  }
  if (find("token_embd.weight")) tied_ = !find("output.weight");
}

TensorFile::TensorFile(const Llama2cFile& file)
    : TensorFile(file.path(), TensorFileFormat::llama2c) {
  const Llama2cHeader& header = file.header();
  summary_ += ", version " + std::to_string(header.version);
  if (header.group_size > 0) summary_ += ", groups of " + std::to_string(header.group_size);
  tied_ = header.tied;
  for (const Llama2cTensor& tensor : file.tensors()) {
    FileTensor& added = tensors_.emplace_back();
    added.name = tensor.name();
    added.dtype = tensor.quantized ? "Q8_0" : "F32";
    if (tensor.rows > 1 || !is_norm(tensor.role)) added.shape.push_back(tensor.rows);
    added.shape.push_back(tensor.columns);
    added.bytes = file.bytes(tensor);
    added.where = tensor_place(path_, added.name);
    added.read = [&file, tensor](int64_t first, int64_t count, float* out) {
      file.read(tensor, first, {out, static_cast<size_t>(count)});
    };
    added.hugging_face_name = hugging_face_name(tensor);
    if (tensor.role == Llama2cRole::query) added.interleaved_heads = header.heads;
    if (tensor.role == Llama2cRole::key) added.interleaved_heads = header.kv_heads;
  }
}

const FileTensor* TensorFile::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &FileTensor::name);
  return found == tensors_.end() ? nullptr : &*found;
}

const FileTensor* TensorFile::find_hugging_face(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &FileTensor::hugging_face_name);
  return found == tensors_.end() ? nullptr : &*found;
}

std::string TensorFile::name_of(const std::string& hugging_face_name) const {
  return format_ == TensorFileFormat::gguf ? gguf_name(hugging_face_name) : hugging_face_name;
}

const FileTensor& TensorFile::require(std::string_view name) const {
  if (const FileTensor* const found = find(name)) return *found;
  std::vector<std::string> names;
  for (const FileTensor& tensor : tensors_) names.push_back(tensor.name);
  const std::string guess = did_you_mean(name, names);
  throw Error("no such tensor",
              {.where = path_,
               .got = quote(name),
               .hint = guess.empty() ? "'cria inspect " + path_ + "' lists them" : guess});
}

}  // namespace cria

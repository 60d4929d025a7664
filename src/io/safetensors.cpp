#include "cria/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>

#include "cria/base/error.h"
#include "cria/base/json.h"
#include "cria/base/unicode.h"
#include "elements.h"

namespace cria {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they are stored");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own bound

constexpr size_t kLengthBytes = 8;  // the header's length, before the header

struct DTypeInfo {
  const char* name;
  uint64_t bytes;
};
constexpr DTypeInfo kDTypes[] = {{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I32", 4}};  // as DType

const DTypeInfo& info(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)];
}

std::string bytes_string(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

std::string place(const std::string& path, std::string_view name) {
  return path + ": tensor " + quote(name);
}

// The header's text, without the spaces that pad it.
std::string_view header_text(std::string_view file, const std::string& path) {
  if (file.size() < kLengthBytes) {
    throw Error("not a safetensors file", {.where = path,
                                           .expected = "the 8-byte length of its header",
                                           .got = bytes_string(file.size())});
  }
  uint64_t length;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length < 2) {
    throw Error("not a safetensors file",
                {.where = path,
                 .expected = "a header of 2 to " + std::to_string(kMaxHeaderBytes) + " bytes",
                 .got = bytes_string(length),
                 .hint = "is it another format, or a pointer in place of the downloaded file?"});
  }
  const uint64_t rest = file.size() - kLengthBytes;
  if (length > rest) {
    throw Error("the file ends inside its header",
                {.where = path,
                 .expected = "a header of " + bytes_string(length),
                 .got = bytes_string(rest),
                 .hint = "is the file cut off?"});
  }
  const std::string_view header = file.substr(kLengthBytes, length);
  if (header.front() != '{') {
    throw Error(
        "not a safetensors file",
        {.where = path, .expected = "a header that begins with '{'", .got = quote_at(header, 0)});
  }
  const size_t last = header.find_last_not_of(' ');
  if (header[last] != '}') {
    throw Error("the header is unfinished, or padded with something else than spaces",
                {.where = path, .expected = "'}' and then spaces", .got = quote_at(header, last)});
  }
  return header.substr(0, last + 1);
}

int64_t parse_size(const Json& json, const std::string& what) {
  const int64_t size = json.as_int(what);
  if (size < 0 || size > kMaxSize) {
    throw Error("size out of range",
                {.where = what, .expected = "0 to 2^48", .got = std::to_string(size)});
  }
  return size;
}

DType parse_dtype(const std::string& name, const std::string& where) {
  for (size_t i = 0; i < std::size(kDTypes); ++i) {
    if (name == kDTypes[i].name) return static_cast<DType>(i);
  }
  throw Error("unsupported dtype",
              {.where = where, .expected = "F32, F16, BF16 or I32", .got = quote(name)});
}

SafetensorsFile::Entry parse_entry(const std::string& name, const Json& json,
                                   const std::string& where) {
  const Json* const dtype = json.find("dtype");
  const Json* const shape = json.find("shape");
  const Json* const offsets = json.find("data_offsets");
  if (json.as_object(where).size() != 3 || !dtype || !shape || !offsets) {
    throw Error("wrong keys in the header",
                {.where = where, .expected = "dtype, shape and data_offsets", .got = json.dump()});
  }
  SafetensorsFile::Entry entry{.name = name, .dtype = {}, .shape = {}, .begin = 0, .end = 0};
  entry.dtype = parse_dtype(dtype->as_string(where + ", dtype"), where);
  for (const Json& dimension : shape->as_array(where + ", shape")) {
    entry.shape.push_back(parse_size(dimension, where + ", shape"));
  }
  const std::string what = where + ", data_offsets";
  const Json::Array& range = offsets->as_array(what);
  if (range.size() != 2) {
    throw Error("wrong number of offsets",
                {.where = what, .expected = "[begin, end]", .got = offsets->dump()});
  }
  entry.begin = static_cast<uint64_t>(parse_size(range[0], what));
  entry.end = static_cast<uint64_t>(parse_size(range[1], what));
  if (entry.begin > entry.end) {
    throw Error("the tensor ends before it begins",
                {.where = what, .expected = "begin <= end", .got = offsets->dump()});
  }
  const uint64_t bytes = byte_size(entry.shape, info(entry.dtype).bytes, where);
  if (bytes != entry.end - entry.begin) {
    throw Error("the data does not have the size of the shape",
                {.where = where,
                 .expected = bytes_string(bytes) + " for " + shape->dump() + " of " +
                             info(entry.dtype).name,
                 .got = bytes_string(entry.end - entry.begin)});
  }
  return entry;
}

// Sorted entries follow each other from byte 0 to the end of the file.
void check_layout(const std::vector<SafetensorsFile::Entry>& entries, uint64_t data_bytes,
                  const std::string& path) {
  uint64_t end = 0;
  for (const SafetensorsFile::Entry& entry : entries) {
    if (entry.begin != end) {
      throw Error(
          entry.begin < end ? "the tensor overlaps another" : "unused bytes before the tensor",
          {.where = place(path, entry.name),
           .expected = "data from byte " + std::to_string(end),
           .got = "byte " + std::to_string(entry.begin)});
    }
    end = entry.end;
  }
  if (end != data_bytes) {
    throw Error(end > data_bytes ? "the file ends inside its data" : "bytes after the last tensor",
                {.where = entries.empty() ? path : place(path, entries.back().name),
                 .expected = bytes_string(end) + " of data",
                 .got = bytes_string(data_bytes),
                 .hint = end > data_bytes ? "is the file cut off?" : ""});
  }
}

// source need not be aligned.
template <class Convert>
void convert(const char* source, int64_t count, float* out, Convert convert_one) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half;
    std::memcpy(&half, source + 2 * i, sizeof half);
    out[i] = convert_one(half);
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  const std::string_view bytes = file_.bytes();
  const Json header = Json::parse(header_text(bytes, path), path + " (header)");
  for (const auto& [name, json] : header.as_object(path)) {
    if (name == "__metadata__") {
      const std::string where = path + ": __metadata__";
      for (const auto& [key, value] : json.as_object(where)) {
        metadata_.emplace_back(key, value.as_string(where + ", " + quote(key)));
      }
    } else {
      entries_.push_back(parse_entry(name, json, place(path, name)));
    }
  }
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  data_begin_ = kLengthBytes + header_bytes;
  check_layout(entries_, bytes.size() - data_begin_, path);
}

const SafetensorsFile::Entry* SafetensorsFile::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

const SafetensorsFile::Entry& SafetensorsFile::require(std::string_view name) const {
  if (const Entry* const entry = find(name)) return *entry;
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  throw Error("no such tensor", {.where = place(path(), name), .hint = did_you_mean(name, names)});
}

const SafetensorsFile::Entry& SafetensorsFile::require(std::string_view name,
                                                       const ConstTensor& like) const {
  const Entry& entry = require(name);
  if (!std::equal(entry.shape.begin(), entry.shape.end(), like.shape.begin(),
                  like.shape.begin() + like.rank)) {
    throw Error("wrong shape",
                {.where = place(path(), name),
                 .expected = like.to_string(),
                 .got = shape_string(entry.shape.data(), static_cast<int>(entry.shape.size()))});
  }
  if (entry.dtype == DType::i32) {
    throw Error("wrong dtype", {.where = place(path(), name),
                                .expected = "F32, F16 or BF16",
                                .got = info(entry.dtype).name});
  }
  return entry;
}

void SafetensorsFile::read(std::string_view name, const Tensor& out) const {
  const Entry& entry = require(name, out);
  if (!out.is_contiguous()) {
    throw Error("cannot read into a strided view", {.where = place(path(), name)});
  }
  if (entry.begin == entry.end) return;
  const char* const source = file_.bytes().data() + data_begin_ + entry.begin;
  switch (entry.dtype) {
    case DType::f16:
      convert(source, out.size(), out.data, from_f16);
      break;
    case DType::bf16:
      convert(source, out.size(), out.data, from_bf16);
      break;
    default:
      std::memcpy(out.data, source, entry.end - entry.begin);
  }
}

std::vector<int32_t> SafetensorsFile::read_i32(std::string_view name) const {
  const Entry& entry = require(name);
  if (entry.dtype != DType::i32) {
    throw Error("wrong dtype",
                {.where = place(path(), name), .expected = "I32", .got = info(entry.dtype).name});
  }
  std::vector<int32_t> values((entry.end - entry.begin) / sizeof(int32_t));
  if (!values.empty()) {
    std::memcpy(values.data(), file_.bytes().data() + data_begin_ + entry.begin,
                entry.end - entry.begin);
  }
  return values;
}

void write_safetensors(const std::string& path, std::vector<NamedTensor> tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  Json::Object header{{"__metadata__", Json::Object{{"format", "pt"}}}};
  int64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == header.back().first || name == header.front().first) {
      throw Error("the name is taken", {.where = place(path, name)});
    }
    if (!tensor.is_contiguous()) {
      throw Error("cannot write a strided view", {.where = place(path, name)});
    }
    Json::Array shape(tensor.shape.begin(), tensor.shape.begin() + tensor.rank);
    const int64_t begin = end;
    end += tensor.size() * static_cast<int64_t>(sizeof(float));
    header.emplace_back(name, Json::Object{{"dtype", "F32"},
                                           {"shape", std::move(shape)},
                                           {"data_offsets", Json::Array{begin, end}}});
  }
  std::string text = Json(std::move(header)).dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(text);
  for (const auto& [name, tensor] : tensors) {
    file.write({reinterpret_cast<const char*>(tensor.data),
                static_cast<size_t>(tensor.size()) * sizeof(float)});
  }
  file.commit();
}

}  // namespace cria

#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <set>
#include <tuple>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/json.h"
#include "io/element_count.h"

namespace cria {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they are stored");

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndexEnd = ".index.json";

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own bound

constexpr size_t kLengthBytes = 8;  // the header's length, before the header

// All that the format knows, in its order: a writer puts those further down first.
struct DType {
  const char* name;
  uint64_t bits;
  std::optional<NumberFormat> format = std::nullopt;
};
constexpr DType kDTypes[] = {{"BOOL", 8},
                             {"F4", 4},
                             {"F6_E2M3", 6},
                             {"F6_E3M2", 6},
                             {"U8", 8},
                             {"I8", 8},
                             {"F8_E5M2", 8},
                             {"F8_E4M3", 8},
                             {"F8_E8M0", 8},
                             {"F8_E4M3FNUZ", 8},
                             {"F8_E5M2FNUZ", 8},
                             {"I16", 16},
                             {"U16", 16},
                             {"F16", 16, NumberFormat::f16},
                             {"BF16", 16, NumberFormat::bf16},
                             {"I32", 32},
                             {"U32", 32},
                             {"F32", 32, NumberFormat::f32},
                             {"C64", 64},
                             {"F64", 64},
                             {"I64", 64},
                             {"U64", 64}};

std::string bytes_string(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " byte" : " bytes");
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

const DType& parse_dtype(const std::string& name, const std::string& where) {
  for (const DType& dtype : kDTypes) {
    if (name == dtype.name) return dtype;
  }
  throw Error("unknown dtype", {.where = where,
                                .expected = "one of the format's, such as F32, F16 or BF16",
                                .got = quote(name)});
}

// A tensor of a header; its bytes are not yet known to be in the file.
struct Entry {
  StoredTensor tensor = {};
  uint64_t begin, end;  // from the start of the data
};

Entry parse_entry(const std::string& name, const Json& json, const std::string& where) {
  const Json* const dtype_json = json.find("dtype");
  const Json* const shape_json = json.find("shape");
  const Json* const offsets = json.find("data_offsets");
  if (json.as_object(where).size() != 3 || !dtype_json || !shape_json || !offsets) {
    throw Error("wrong keys in the header",
                {.where = where, .expected = "dtype, shape and data_offsets", .got = json.dump()});
  }
  const DType& dtype = parse_dtype(dtype_json->as_string(where + ", dtype"), where);
  std::vector<int64_t> shape;
  for (const Json& dimension : shape_json->as_array(where + ", shape")) {
    shape.push_back(parse_size(dimension, where + ", shape"));
  }
  const std::string what = where + ", data_offsets";
  const Json::Array& range = offsets->as_array(what);
  if (range.size() != 2) {
    throw Error("wrong number of offsets",
                {.where = what, .expected = "[begin, end]", .got = offsets->dump()});
  }
  const uint64_t begin = static_cast<uint64_t>(parse_size(range[0], what));
  const uint64_t end = static_cast<uint64_t>(parse_size(range[1], what));
  if (begin > end) {
    throw Error("the tensor ends before it begins",
                {.where = what, .expected = "begin <= end", .got = offsets->dump()});
  }
  const uint64_t bits = static_cast<uint64_t>(element_count(shape, where)) * dtype.bits;
  if (bits % 8 != 0) {
    throw Error("the tensor ends inside a byte",
                {.where = where, .got = shape_json->dump() + " of " + dtype.name});
  }
  if (bits / 8 != end - begin) {
    throw Error(
        "the data does not have the size of the shape",
        {.where = where,
         .expected = bytes_string(bits / 8) + " for " + shape_json->dump() + " of " + dtype.name,
         .got = bytes_string(end - begin)});
  }
  Entry entry{.begin = begin, .end = end};
  entry.tensor.name = name;
  entry.tensor.dtype = dtype.name;
  entry.tensor.format = dtype.format;
  entry.tensor.shape = std::move(shape);
  entry.tensor.where = where;
  return entry;
}

// Sorted entries follow each other from byte 0 to the end of the file.
void check_layout(const std::vector<Entry>& entries, uint64_t data_bytes, const std::string& path) {
  uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end) {
      throw Error(
          entry.begin < end ? "the tensor overlaps another" : "unused bytes before the tensor",
          {.where = entry.tensor.where,
           .expected = "data from byte " + std::to_string(end),
           .got = "byte " + std::to_string(entry.begin)});
    }
    end = entry.end;
  }
  if (end != data_bytes) {
    throw Error(end > data_bytes ? "the file ends inside its data" : "bytes after the last tensor",
                {.where = entries.empty() ? path : entries.back().tensor.where,
                 .expected = bytes_string(end) + " of data",
                 .got = bytes_string(data_bytes),
                 .hint = end > data_bytes ? "is the file cut off?" : ""});
  }
}

// A directory stands for the weights of its model.
std::string weights_of(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return path;
  const std::string whole = join_path(path, kWeights);
  return exists(whole + kIndexEnd) ? whole + kIndexEnd : whole;
}

// An index may not lead out of its directory.
void require_plain_name(const std::string& name, const std::string& where) {
  const bool plain = !name.empty() && name != "." && name.find("..") == name.npos &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
  if (plain) return;
  throw Error("not the plain name of a file",
              {.where = where, .expected = "a file beside the index", .got = quote(name)});
}

size_t place_of(NumberFormat format) {
  const auto dtype = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                  [&](const DType& each) { return each.format == format; });
  return static_cast<size_t>(dtype - std::begin(kDTypes));
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(weights_of(path)) {
  if (path_.ends_with(kIndexEnd)) {
    add_indexed_files();
  } else {
    add_file(path_);
  }
}

void SafetensorsFile::add_file(const std::string& path) {
  const std::string_view bytes = files_.emplace_back(path).bytes();
  const std::string_view text = header_text(bytes, path);
  const Json header = Json::parse(text, path + " (header)");
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.as_object(path)) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(name, json, tensor_place(path, name)));
      continue;
    }
    const std::string where = path + ": __metadata__";
    for (const auto& [key, value] : json.as_object(where)) {
      const std::string& content = value.as_string(where + ", " + quote(key));
      if (files_.size() == 1) metadata_.emplace_back(key, content);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  const std::string_view data = bytes.substr(kLengthBytes + header_bytes);
  check_layout(entries, data.size(), path);
  for (Entry& entry : entries) {
    entry.tensor.bytes = data.substr(entry.begin, entry.end - entry.begin);
    const auto [place, is_new] = places_.emplace(entry.tensor.name, entries_.size());
    if (!is_new) {
      throw Error("the tensor is in two files",
                  {.where = path_, .got = entries_[place->second].where + " and in " + path});
    }
    entries_.push_back(std::move(entry.tensor));
  }
}

void SafetensorsFile::add_indexed_files() {
  const Json index = read_json(path_);
  const Json* const weight_map = index.find("weight_map");
  if (!weight_map) {
    throw Error("not an index of weights", {.where = path_, .expected = "a key 'weight_map'"});
  }
  const std::string where = path_ + ": weight_map";
  std::set<std::string> names;
  for (const auto& [tensor, file] : weight_map->as_object(where)) {
    const std::string what = where + ", " + quote(tensor);
    require_plain_name(file.as_string(what), what);
    names.insert(file.as_string(what));
  }
  const std::filesystem::path directory = std::filesystem::path(path_).parent_path();
  const auto file_path = [&](const std::string& name) { return (directory / name).string(); };
  for (const std::string& name : names) add_file(file_path(name));
  for (const auto& [tensor, file] : weight_map->as_object(where)) {
    const StoredTensor* const found = find(tensor);
    const std::string expected = tensor_place(file_path(file.as_string(where)), tensor);
    if (found && found->where == expected) continue;
    throw Error("the tensor is not where the index says",
                {.where = where, .expected = expected, .got = found ? found->where : "nowhere"});
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &entries_[found->second];
}

const StoredTensor& SafetensorsFile::require(std::string_view name, const ConstTensor& like) const {
  const StoredTensor* const found = find(name);
  if (!found) {
    std::vector<std::string> names;
    for (const StoredTensor& entry : entries_) names.push_back(entry.name);
    throw Error("no such tensor",
                {.where = tensor_place(path_, name), .hint = did_you_mean(name, names)});
  }
  require_shape(found->shape, like, found->where);
  found->require_floats();
  return *found;
}

void SafetensorsFile::read(std::string_view name, const Tensor& out) const {
  const StoredTensor& entry = require(name, out);
  if (!out.is_contiguous()) throw Error("cannot read into a strided view", {.where = entry.where});
  entry.read_rows(0, row_count(entry.shape), out.data);
}

void write_safetensors(const std::string& path, std::vector<TensorSource> tensors) {
  std::set<std::string_view> names = {"__metadata__"};
  for (const TensorSource& tensor : tensors) {
    const std::string where = tensor_place(path, tensor.name);
    if (!names.insert(tensor.name).second) throw Error("the name is taken", {.where = where});
    if (place_of(tensor.format) == std::size(kDTypes)) {
      throw Error(
          "safetensors files have no such numbers",
          {.where = where, .expected = "F32, F16 or BF16", .got = format_name(tensor.format)});
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorSource& a, const TensorSource& b) {
    const size_t a_place = place_of(a.format), b_place = place_of(b.format);
    return std::tie(b_place, a.name) < std::tie(a_place, b.name);
  });
  Json::Object header{{"__metadata__", Json::Object{{"format", "pt"}}}};
  uint64_t end = 0;
  for (const TensorSource& tensor : tensors) {
    const uint64_t begin = end;
    end += tensor.bytes();
    Json::Array shape(tensor.shape.begin(), tensor.shape.end());
    header.emplace_back(tensor.name, Json::Object{{"dtype", format_name(tensor.format)},
                                                  {"shape", std::move(shape)},
                                                  {"data_offsets", Json::Array{begin, end}}});
  }
  std::string text = Json(std::move(header)).dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data is aligned
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(text);
  for (const TensorSource& tensor : tensors) tensor.write_to(file, path);
  file.commit();
}

}  // namespace cria

#include "io/npy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/number.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/io/number_format.h"
#include "io/bytes.h"
#include "io/element_count.h"

namespace cria {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
// NumPy refuses longer ones too: its header is a Python expression.
constexpr uint64_t kMaxNpyHeaderBytes = 10000;

struct Header {
  std::string dtype;  // "<f4"
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// The header: a Python dict of three literals, and no more of Python than that.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Header parse() {
    std::optional<std::string> dtype;
    std::optional<bool> fortran_order;
    std::optional<std::vector<int64_t>> shape;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !dtype) {
        dtype = description();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        throw Error("unknown or repeated key",
                    {.where = where_, .expected = kKeys, .got = quote(key)});
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (text_.substr(at_) != "\n") fail("spaces and a line break to the end");
    if (!dtype || !fortran_order || !shape) {
      throw Error("a key is missing", {.where = where_, .expected = kKeys});
    }
    return {*dtype, *fortran_order, *shape};
  }

 private:
  static constexpr const char* kKeys = "descr, fortran_order and shape";

  [[noreturn]] void fail(const std::string& expected) const {
    throw Error("not what NumPy writes",
                {.where = where_, .expected = expected, .got = quote_at(text_, at_)});
  }

  void skip_spaces() { at_ = std::min(text_.find_first_not_of(' ', at_), text_.size()); }

  bool accept(char wanted) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(std::string("'") + wanted + "'");
  }

  std::string string() {
    for (const char mark : {'\'', '"'}) {
      if (!accept(mark)) continue;
      const size_t end = text_.find_first_of(std::string(1, mark) + "\\\n", at_);
      if (end >= text_.size() || text_[end] != mark) fail("a string without escapes");
      const std::string_view content = text_.substr(at_, end - at_);
      at_ = end + 1;
      return std::string(content);
    }
    fail("a string");
  }

  std::string description() {
    if (accept('[')) {
      throw Error("structured arrays are not read",
                  {.where = where_, .expected = "one number type", .got = "a list of fields"});
    }
    return string();
  }

  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    fail("True or False");
  }

  // "()", "(5,)" and "(2, 3)"; "(5)" is no tuple in Python.
  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      sizes.push_back(size());
      const bool comma = accept(',');
      if (!comma && sizes.size() == 1) fail("','");
      if (!comma) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  // Python 2 wrote an L behind it.
  int64_t size() {
    skip_spaces();
    const size_t end = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
    const std::string_view digits = text_.substr(at_, end - at_);
    if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) fail("a size");
    int64_t value = 0;
    if (!parse_number(digits, value) || value > kMaxSize) {
      throw Error("size out of range",
                  {.where = where_, .expected = "0 to 2^48", .got = std::string(digits)});
    }
    at_ = end;
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;
    return value;
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

// What follows the magic number and the version: the length of the header, then the header.
std::string_view npy_header_text(std::string_view file, const std::string& path) {
  const auto too_short = [&](size_t needed) {
    return Error("the file ends inside its header",
                 {.where = path,
                  .expected = "at least " + std::to_string(needed) + " bytes",
                  .got = std::to_string(file.size()),
                  .hint = "is the file cut off?"});
  };
  if (!file.starts_with(kMagic)) {
    throw Error("not a .npy file", {.where = path,
                                    .expected = "\\x93NUMPY at the beginning",
                                    .got = quote(file.substr(0, kMagic.size()))});
  }
  const size_t version = kMagic.size();
  if (file.size() < version + 2) throw too_short(version + 2);
  const int major = static_cast<uint8_t>(file[version]);
  const int minor = static_cast<uint8_t>(file[version + 1]);
  if (major < 1 || major > 3 || minor != 0) {
    throw Error("unknown version", {.where = path,
                                    .expected = "1.0, 2.0 or 3.0",
                                    .got = std::to_string(major) + "." + std::to_string(minor)});
  }
  const size_t length_bytes = major == 1 ? 2 : 4, begin = version + 2 + length_bytes;
  if (file.size() < begin) throw too_short(begin);
  const char* const place = file.data() + version + 2;
  const uint64_t length = major == 1 ? load<uint16_t>(place, false) : load<uint32_t>(place, false);
  if (length > kMaxNpyHeaderBytes) {
    throw Error("the header is too long",
                {.where = path,
                 .expected = "at most " + std::to_string(kMaxNpyHeaderBytes) + " bytes",
                 .got = std::to_string(length)});
  }
  if (file.size() < begin + length) throw too_short(begin + length);
  return file.substr(begin, length);
}

// The width of a float in bytes.
uint64_t float_width(const std::string& dtype, const std::string& where) {
  const bool is_ordered = dtype.starts_with('<') || dtype.starts_with('>');
  for (const uint64_t width : {2, 4, 8}) {
    if (is_ordered && dtype.substr(1) == "f" + std::to_string(width)) return width;
  }
  const bool is_object = dtype.find('O') != dtype.npos;
  throw Error(is_object ? "object arrays are not read" : "unsupported dtype",
              {.where = where,
               .expected = "f2, f4 or f8 with a byte order, as in '<f4'",
               .got = quote(dtype),
               .hint = is_object ? "they are pickles: whoever opens one runs what is in it"
                                 : "save it with .astype(numpy.float32)"});
}

// Whether fp32 would make an infinity of a finite number.
bool overflows(double value) {
  return std::isfinite(value) && std::abs(value) >= 0x1.ffffffp127;
}

float float_element(const char* bytes, uint64_t width, bool big_endian, const std::string& path) {
  if (width == 2) return from_f16(load<uint16_t>(bytes, big_endian));
  if (width == 4) return std::bit_cast<float>(load<uint32_t>(bytes, big_endian));
  const double value = std::bit_cast<double>(load<uint64_t>(bytes, big_endian));
  if (overflows(value)) {
    throw Error("a number too large for fp32", {.where = path, .got = shortest_double(value)});
  }
  return static_cast<float>(value);
}

}  // namespace

NpyArray read_npy(const std::string& path) {
  const MappedFile file(path);
  const std::string_view bytes = file.bytes();
  const std::string_view text = npy_header_text(bytes, path);
  const std::string where = path + " (header)";
  const Header header = HeaderParser(text, where).parse();
  const uint64_t width = float_width(header.dtype, where);
  const uint64_t size = static_cast<uint64_t>(element_count(header.shape, where)) * width;
  const char* const data = text.data() + text.size();
  const uint64_t there = static_cast<uint64_t>(bytes.data() + bytes.size() - data);
  if (size != there) {
    throw Error("the data does not have the size of the shape",
                {.where = path,
                 .expected = std::to_string(size) + " bytes for " + shape_string(header.shape) +
                             " of " + header.dtype,
                 .got = std::to_string(there),
                 .hint = there < size ? "is the file cut off?" : ""});
  }
  if (header.fortran_order && header.shape.size() > 2) {
    throw Error("Fortran order is read for two dimensions at most",
                {.where = where,
                 .got = std::to_string(header.shape.size()),
                 .hint = "save numpy.ascontiguousarray of it"});
  }
  NpyArray array{.shape = header.shape, .values = std::vector<float>(size / width)};
  const bool big_endian = header.dtype.starts_with('>');
  const bool transposed = header.fortran_order && header.shape.size() == 2;
  const size_t rows = transposed ? static_cast<size_t>(header.shape[0]) : 1;
  const size_t columns = transposed ? static_cast<size_t>(header.shape[1]) : array.values.size();
  for (size_t i = 0; i < array.values.size(); ++i) {
    const size_t source = transposed ? i % columns * rows + i / columns : i;
    array.values[i] = float_element(data + source * width, width, big_endian, path);
  }
  return array;
}

// NumPy puts at least one space behind the dict.
std::string npy_header(const std::vector<int64_t>& shape, std::span<const float> values,
                       const std::string& where) {
  const std::string sizes = shape_string(shape);
  const bool possible =
      std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; }) &&
      element_count(shape, where) == static_cast<int64_t>(values.size());
  if (!possible) {
    throw Error("the values are not as many as the shape says",
                {.where = where, .expected = sizes, .got = std::to_string(values.size())});
  }
  std::string tuple = sizes.substr(1, sizes.size() - 2);
  if (shape.size() == 1) tuple += ',';
  std::string dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + tuple + "), }";
  const size_t before = kMagic.size() + 4;
  dict.resize((before + dict.size() + 1) / 64 * 64 + 63 - before, ' ');
  dict += '\n';
  if (dict.size() > kMaxNpyHeaderBytes) {
    throw Error("too many dimensions", {.where = where, .got = std::to_string(shape.size())});
  }
  std::string header(kMagic);
  append(header, uint16_t{1});  // 1.0: the bytes 1 and 0
  append(header, static_cast<uint16_t>(dict.size()));
  return header + dict;
}

void write_npy(const std::string& path, const std::vector<int64_t>& shape,
               std::span<const float> values) {
  const std::string header = npy_header(shape, values, path);
  AtomicFile file(path);
  file.write(header);
  file.write(bytes_of(values));
  file.commit();
}

}  // namespace cria

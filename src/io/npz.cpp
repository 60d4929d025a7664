#include "io/npz.h"

#include <algorithm>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "io/bytes.h"
#include "io/crc.h"

namespace cria {
namespace {

constexpr std::string_view kSuffix = ".npy";

std::string member_name(std::string_view name) {
  return std::string(name) + std::string(kSuffix);
}

std::string place_of(const std::string& path, std::string_view name) {
  return path + ": array " + quote(name);
}

}  // namespace

NpzWriter::NpzWriter(const std::string& path) : path_(path), file_(path) {}

std::string NpzWriter::place(const std::string& name) const {
  return place_of(path_, name);
}

void NpzWriter::add(const std::string& name, std::string_view header, std::string_view data) {
  const ZipMember member{.name = member_name(name),
                         .crc32 = crc32(data, crc32(header)),
                         .size = header.size() + data.size(),
                         .offset = end_};
  check_zip_name(member.name, place(name));
  const bool taken = std::any_of(members_.begin(), members_.end(),
                                 [&](const ZipMember& other) { return other.name == member.name; });
  if (taken) throw Error("the name is taken", {.where = place(name)});
  const std::string local = zip_local_header(member);
  for (const std::string_view part : {std::string_view(local), header, data}) file_.write(part);
  end_ += local.size() + member.size;
  members_.push_back(member);
}

void NpzWriter::add(const std::string& name, const std::vector<int64_t>& shape,
                    std::span<const float> values) {
  add(name, npy_header(shape, values, place(name)), bytes_of(values));
}

void NpzWriter::add(const std::string& name, const std::vector<int64_t>& shape,
                    std::span<const int64_t> values) {
  add(name, npy_header(shape, values, place(name)), bytes_of(values));
}

void NpzWriter::commit() {
  file_.write(zip_directory(members_, end_));
  file_.commit();
}

NpzFile::NpzFile(const std::string& path) : file_(path) {
  for (const ZipMember& member : file_.members()) {
    if (!member.name.ends_with(kSuffix)) {
      throw Error("not an array",
                  {.where = path, .expected = "members NAME.npy", .got = quote(member.name)});
    }
    names_.push_back(member.name.substr(0, member.name.size() - kSuffix.size()));
  }
}

NpyArray NpzFile::read(std::string_view name) const {
  return parse_npy(file_.read(member_name(name)), place_of(file_.path(), name));
}

NpyIntegers NpzFile::read_integers(std::string_view name) const {
  return parse_npy_integers(file_.read(member_name(name)), place_of(file_.path(), name));
}

}  // namespace cria

#include "io/npz.h"

#include "base/unicode.h"
#include "io/bytes.h"
#include "io/crc.h"
#include "io/npy.h"

namespace cria {

NpzWriter::NpzWriter(const std::string& path) : path_(path), file_(path) {}

void NpzWriter::add(const std::string& name, const std::vector<int64_t>& shape,
                    std::span<const float> values) {
  const std::string header = npy_header(shape, values, path_ + ": array " + quote(name));
  const std::string_view data = bytes_of(values);
  const ZipMember member{.name = name + ".npy",
                         .crc32 = crc32(data, crc32(header)),
                         .size = header.size() + data.size(),
                         .offset = end_};
  const std::string local = zip_local_header(member);
  for (const std::string_view part : {std::string_view(local), std::string_view(header), data}) {
    file_.write(part);
  }
  end_ += local.size() + member.size;
  members_.push_back(member);
}

void NpzWriter::commit() {
  file_.write(zip_directory(members_, end_));
  file_.commit();
}

}  // namespace cria

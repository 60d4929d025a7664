#include "io/tfevents.h"

#include <unistd.h>

#include <bit>
#include <cstdio>

#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "io/bytes.h"
#include "io/crc.h"

namespace cria {
namespace {

constexpr std::string_view kVersion = "brain.Event:2";
constexpr std::string_view kNameStart = "events.out.tfevents.";
constexpr uint64_t kRecordLengthBytes = 8, kCheckBytes = 4;

// --- protobuf: a field is a key, (number << 3) | wire type, and what the type says

enum WireType : uint64_t { kVarint = 0, kEightBytes = 1, kDelimited = 2, kFourBytes = 5 };

// The fields of the messages, by the .proto files of TensorFlow.
enum Event : uint64_t { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum Summary : uint64_t { kSummaryValue = 1 };
enum Value : uint64_t { kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9 };
enum Metadata : uint64_t { kPluginData = 1 };
enum PluginData : uint64_t { kPluginName = 1 };
enum TensorProto : uint64_t { kDType = 1, kTensorShape = 2, kStringValue = 8 };
enum TensorShape : uint64_t { kDimension = 2 };
enum Dimension : uint64_t { kSize = 1 };
constexpr uint64_t kDTypeString = 7;

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void append_key(std::string& out, uint64_t field, WireType type) {
  append_varint(out, field << 3 | type);
}

// Zero is not written, as in proto3; negative numbers take ten bytes.
void append_integer(std::string& out, uint64_t field, uint64_t value) {
  if (value == 0) return;
  append_key(out, field, kVarint);
  append_varint(out, value);
}

void append_bytes(std::string& out, uint64_t field, std::string_view bytes) {
  append_key(out, field, kDelimited);
  append_varint(out, bytes.size());
  out += bytes;
}

uint64_t read_varint(ByteReader& reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const uint8_t byte = reader.number<uint8_t>("a varint");
    if (shift == 63 && byte > 1) break;
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  throw Error("a number of more than 64 bits", {.where = reader.here()});
}

// --- TFRecord

uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8;
}

std::string record(std::string_view data) {
  std::string bytes;
  append(bytes, static_cast<uint64_t>(data.size()));
  append(bytes, masked_crc(bytes));
  bytes += data;
  append(bytes, masked_crc(data));
  return bytes;
}

std::string event_start(int64_t step, double wall_time) {
  // Ten digits in the name of a file; no NaN, which TensorBoard rejects.
  if (!(wall_time >= 0 && wall_time < 1e10)) {
    throw Error("not a time", {.where = "an event for TensorBoard",
                               .expected = "seconds since 1970",
                               .got = std::to_string(wall_time)});
  }
  std::string event;
  append_key(event, kWallTime, kEightBytes);
  append(event, std::bit_cast<uint64_t>(wall_time));
  append_integer(event, kStep, static_cast<uint64_t>(step));
  return event;
}

void append_tag(std::string& value, const std::string& tag) {
  if (tag.empty() || first_invalid_utf8(tag)) {
    throw Error("not a tag", {.where = "an event for TensorBoard",
                              .expected = "UTF-8, and not empty",
                              .got = quote(tag)});
  }
  append_bytes(value, kTag, tag);
}

std::string summary_record(std::string event, std::string_view summary) {
  append_bytes(event, kSummary, summary);
  return record(event);
}

// What a resumed log must know of an Event; all else is skipped.
void read_event(std::string_view data, uint64_t offset, const std::string& where,
                EventRecord& record) {
  for (ByteReader reader(data, where, offset); reader.rest() > 0;) {
    const uint64_t at = reader.offset();
    const uint64_t key = read_varint(reader);
    const uint64_t field = key >> 3, type = key & 7;
    const bool expected_type = (field != kWallTime || type == kEightBytes) &&
                               (field != kStep || type == kVarint) &&
                               (field != kFileVersion || type == kDelimited) && field != 0;
    if (expected_type && type == kVarint) {
      const uint64_t number = read_varint(reader);
      if (field == kStep) record.step = static_cast<int64_t>(number);
    } else if (expected_type && type == kEightBytes) {
      const double number = reader.number<double>("a field of eight bytes");
      if (field == kWallTime) record.wall_time = number;
    } else if (expected_type && type == kDelimited) {
      const uint64_t size = read_varint(reader);
      const std::string_view content = reader.take(size, "a field");
      if (field == kFileVersion) record.file_version = content;
    } else if (expected_type && type == kFourBytes) {
      reader.take(4, "a field of four bytes");
    } else {
      throw Error("not an event of TensorBoard",
                  {.where = where + " at byte " + std::to_string(at),
                   .expected = "a field of a message",
                   .got = "field " + std::to_string(field) + " of type " + std::to_string(type)});
    }
  }
}

void require_check(std::string_view bytes, uint32_t check, uint64_t offset,
                   const std::string& where) {
  if (masked_crc(bytes) == check) return;
  throw Error("wrong checksum", {.where = where + " at byte " + std::to_string(offset),
                                 .hint = "the file is damaged: move it away to go on without it"});
}

std::string host_name() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

std::string new_name(double wall_time) {
  char seconds[24];
  std::snprintf(seconds, sizeof seconds, "%010lld", static_cast<long long>(wall_time));
  return std::string(kNameStart) + seconds + '.' + host_name() + '.' + std::to_string(::getpid()) +
         ".0";
}

std::vector<std::string> event_files(const std::string& directory) {
  std::vector<std::string> paths;
  for (const std::string& name : list_directory(directory)) {
    if (name.starts_with(kNameStart)) paths.push_back(join_path(directory, name));
  }
  return paths;
}

// Removes the events after `step`, and a record that a crash has cut off.
void drop_after(const std::string& path, int64_t step) {
  const std::string bytes = read_file(path);
  std::string kept;
  const std::vector<EventRecord> records = scan_events(bytes, path);
  if (!records.empty() && records.front().file_version != kVersion) {
    throw Error("not an event file of TensorBoard",
                {.where = path,
                 .expected = "version " + quote(kVersion) + " in its first record",
                 .got = quote(records.front().file_version)});
  }
  for (const EventRecord& record : records) {
    if (record.step <= step) kept.append(bytes, record.begin, record.end - record.begin);
  }
  if (kept != bytes) write_file(path, kept);
}

}  // namespace

std::string version_event(double wall_time) {
  std::string event = event_start(0, wall_time);
  append_bytes(event, kFileVersion, kVersion);
  return record(event);
}

std::string scalars_event(int64_t step, double wall_time, std::span<const EventScalar> scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_tag(value, tag);
    append_key(value, kSimpleValue, kFourBytes);
    append(value, std::bit_cast<uint32_t>(number));
    append_bytes(summary, kSummaryValue, value);
  }
  return summary_record(event_start(step, wall_time), summary);
}

// A tensor of one string, [1], which belongs to the text plugin.
std::string text_event(int64_t step, double wall_time, const std::string& tag,
                       std::string_view text) {
  std::string plugin, metadata, dimension, shape, tensor, value, summary;
  append_bytes(plugin, kPluginName, "text");
  append_bytes(metadata, kPluginData, plugin);
  append_integer(dimension, kSize, 1);
  append_bytes(shape, kDimension, dimension);
  append_integer(tensor, kDType, kDTypeString);
  append_bytes(tensor, kTensorShape, shape);
  append_bytes(tensor, kStringValue, valid_utf8(text));
  append_tag(value, tag);
  append_bytes(value, kMetadata, metadata);
  append_bytes(value, kTensor, tensor);
  append_bytes(summary, kSummaryValue, value);
  return summary_record(event_start(step, wall_time), summary);
}

// Four spaces before a line make it code.
std::string markdown_verbatim(std::string_view text) {
  std::string out = "    ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out;
}

std::vector<EventRecord> scan_events(std::string_view bytes, const std::string& where) {
  std::vector<EventRecord> records;
  for (uint64_t begin = 0; begin < bytes.size();) {
    ByteReader reader(bytes.substr(begin), where, begin);
    if (reader.rest() < kRecordLengthBytes + kCheckBytes) break;
    const std::string_view length = reader.take(kRecordLengthBytes, "the length of a record");
    require_check(length, reader.number<uint32_t>("its checksum"), begin, where);
    const uint64_t size = load<uint64_t>(length.data());
    if (reader.rest() < kCheckBytes || size > reader.rest() - kCheckBytes) break;
    const uint64_t data_begin = reader.offset();
    const std::string_view data = reader.take(size, "a record");
    require_check(data, reader.number<uint32_t>("its checksum"), data_begin, where);
    EventRecord record{
        .begin = begin, .end = reader.offset(), .wall_time = 0, .step = 0, .file_version = {}};
    read_event(data, data_begin, where, record);
    records.push_back(std::move(record));
    begin = records.back().end;
  }
  return records;
}

EventLog::EventLog(const std::string& directory, int64_t step, double wall_time) {
  const std::string first = version_event(wall_time);
  make_directories(directory);
  const std::vector<std::string> files = event_files(directory);
  for (const std::string& file : files) drop_after(file, step);
  path_ = files.empty() ? join_path(directory, new_name(wall_time)) : files.back();
  // A crash may have left a file without its first record.
  if (!exists(path_) || MappedFile(path_).bytes().empty()) append_to_file(path_, first);
}

void EventLog::scalars(int64_t step, double wall_time, std::span<const EventScalar> scalars) {
  append_to_file(path_, scalars_event(step, wall_time, scalars));
}

void EventLog::text(int64_t step, double wall_time, const std::string& tag, std::string_view text) {
  append_to_file(path_, text_event(step, wall_time, tag, text));
}

}  // namespace cria

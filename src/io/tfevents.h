// TensorBoard's event files: TFRecords of protobuf Events, with checksums.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

struct EventScalar {
  std::string tag;  // "train/loss": the part before the slash groups
  float value;
};

// Whole records, ready to be appended to a file. wall_time is in seconds since 1970. Error when it
// is not finite, or a tag is empty or no UTF-8.
std::string version_event(double wall_time);  // the first of a file
std::string scalars_event(int64_t step, double wall_time, std::span<const EventScalar> scalars);
// Shown as Markdown. What is no UTF-8 becomes U+FFFD.
std::string text_event(int64_t step, double wall_time, const std::string& tag,
                       std::string_view text);

// text as a block that Markdown leaves as it is: line breaks, stars and all.
std::string markdown_verbatim(std::string_view text);

struct EventRecord {
  uint64_t begin, end;       // bytes, the frame included
  double wall_time;          // seconds
  int64_t step;              // 0 when the record does not say
  std::string file_version;  // "" when it is another kind of event
};

// The records of a file's bytes, in order, without one at the end that a crash has cut off. Error
// naming `where` and the byte for a wrong checksum and for what is no Event.
std::vector<EventRecord> scan_events(std::string_view bytes, const std::string& where);

// The events of a run, in the file of its directory that TensorBoard finds by its name. Every event
// is one write, and in the file when the call returns.
class EventLog {
 public:
  // Goes on with the file that is there, or begins one. Events of steps after `step` are dropped,
  // as is one cut off by a crash: a resumed run writes them again.
  EventLog(const std::string& directory, int64_t step, double wall_time);

  const std::string& path() const { return path_; }
  void scalars(int64_t step, double wall_time, std::span<const EventScalar> scalars);
  void text(int64_t step, double wall_time, const std::string& tag, std::string_view text);

 private:
  std::string path_;
};

}  // namespace cria

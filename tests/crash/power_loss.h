// A disk as it may be after the power went: what a program wrote, replayed from its recording, with
// what it had not flushed lost or reordered.
//
// The model is what POSIX promises, which is less than most file systems do. A file's bytes are
// sure once fsync of the file returned; a name (created, renamed, removed) once fsync of the
// directory that holds it returned. Of what is not sure, each directory's changes survive up to
// some moment, independently of other directories, and a file has the bytes of its last fsync, all
// later ones, a part of them, or zeros where they should be.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crash/recording.h"
#include "cria/base/rng.h"

namespace cria {

class RecordedDisk {
 public:
  // root: the directory of the recording, empty at its beginning.
  explicit RecordedDisk(std::string root);

  void replay(const Recorded& call);

  // Fills the empty directory `path` with what may be left if the power goes now; without an rng,
  // with what is sure to be.
  void write_survivors(const std::string& path, Rng* rng) const;

  // The names in the directory (relative to the root) that are sure to be there.
  std::vector<std::string> sure_names(const std::string& directory) const;

 private:
  struct Node {
    bool is_directory = false;
    std::string bytes, sure_bytes;
    std::map<std::string, Node*> names;  // of a directory, as the program sees it
  };
  // One name that changes; node: nullptr: it goes.
  struct Change {
    Node* directory;
    std::string name;
    Node* node;
  };
  // A rename changes two names at once.
  struct Entry {
    std::vector<Change> changes;
    bool is_sure = false;
    Node* directory() const { return changes.back().directory; }
  };
  struct OpenFile {
    Node* node;
    size_t at;
    bool append;
  };
  using Names = std::map<Node*, std::map<std::string, Node*>>;

  Node* make_node(bool is_directory);
  // The directory that holds `path`, and the name there.
  std::pair<Node*, std::string> place(const std::string& path) const;
  Node* find(const std::string& path) const;
  void change(std::vector<Change> changes);
  Names survivors(Rng* rng) const;
  static std::string surviving_bytes(const Node& file, Rng* rng);

  std::string root_path_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Node* root_;
  std::vector<Entry> entries_;  // in order
  std::map<int, OpenFile> open_;
};

}  // namespace cria

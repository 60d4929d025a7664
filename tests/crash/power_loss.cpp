#include "crash/power_loss.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "support/files.h"

namespace cria {

RecordedDisk::RecordedDisk(std::string root)
    : root_path_(std::move(root)), root_(make_node(true)) {}

RecordedDisk::Node* RecordedDisk::make_node(bool is_directory) {
  nodes_.push_back(std::make_unique<Node>());
  nodes_.back()->is_directory = is_directory;
  return nodes_.back().get();
}

std::pair<RecordedDisk::Node*, std::string> RecordedDisk::place(const std::string& path) const {
  std::string rest = path.substr(root_path_.size());
  Node* directory = root_;
  std::string name;
  for (const auto& part : std::filesystem::path(rest).relative_path()) {
    if (part.empty() || part == ".") continue;
    if (!name.empty()) directory = directory->names.at(name);
    name = part.string();
  }
  return {directory, name};
}

RecordedDisk::Node* RecordedDisk::find(const std::string& path) const {
  const auto [directory, name] = place(path);
  if (name.empty()) return root_;
  const auto found = directory->names.find(name);
  return found == directory->names.end() ? nullptr : found->second;
}

void RecordedDisk::change(std::vector<Change> changes) {
  for (const Change& each : changes) {
    if (each.node) each.directory->names[each.name] = each.node;
    if (!each.node) each.directory->names.erase(each.name);
  }
  entries_.push_back({std::move(changes)});
}

void RecordedDisk::replay(const Recorded& call) {
  const std::string& operation = call.operation;
  if (operation == "mkdir") {
    const auto [directory, name] = place(call.path);
    change({{directory, name, make_node(true)}});
  } else if (operation == "remove") {
    const auto [directory, name] = place(call.path);
    change({{directory, name, nullptr}});
  } else if (operation == "exchange") {
    const auto [from, one] = place(call.path);
    const auto [to, other] = place(call.to);
    change({{from, one, to->names.at(other)}, {to, other, from->names.at(one)}});
  } else if (operation == "rename" || operation == "link") {
    const auto [from, old_name] = place(call.path);
    const auto [to, new_name] = place(call.to);
    std::vector<Change> changes = {{to, new_name, from->names.at(old_name)}};
    if (operation == "rename") changes.insert(changes.begin(), {from, old_name, nullptr});
    change(changes);
  } else if (operation == "open") {
    Node* node = find(call.path);
    if (!node) {
      const auto [directory, name] = place(call.path);
      node = make_node(false);
      change({{directory, name, node}});
    }
    if (call.number & O_TRUNC) node->bytes.clear();
    open_[call.descriptor] = {node, 0, (call.number & O_APPEND) != 0};
  } else if (operation == "close") {
    open_.erase(call.descriptor);
  } else if (operation == "write") {
    OpenFile& file = open_.at(call.descriptor);
    std::string& bytes = file.node->bytes;
    const size_t at = file.append        ? bytes.size()
                      : call.number >= 0 ? static_cast<size_t>(call.number)
                                         : file.at;
    bytes.resize(std::max(bytes.size(), at + call.bytes.size()));
    bytes.replace(at, call.bytes.size(), call.bytes);
    if (call.number < 0) file.at = at + call.bytes.size();
  } else if (operation == "seek") {
    open_.at(call.descriptor).at = static_cast<size_t>(call.number);
  } else if (operation == "truncate") {
    open_.at(call.descriptor).node->bytes.resize(static_cast<size_t>(call.number));
  } else if (operation == "fsync") {
    Node* const node = open_.at(call.descriptor).node;
    node->sure_bytes = node->bytes;
    for (Entry& entry : entries_) entry.is_sure |= entry.directory() == node;
  } else {
    throw std::runtime_error("an unknown operation: " + operation);
  }
}

RecordedDisk::Names RecordedDisk::survivors(Rng* rng) const {
  std::map<Node*, int64_t> unsure, kept;
  for (const Entry& entry : entries_) unsure[entry.directory()] += !entry.is_sure;
  for (const auto& [directory, count] : unsure) {
    kept[directory] = rng ? static_cast<int64_t>(rng->below(static_cast<uint64_t>(count) + 1)) : 0;
  }
  Names names;
  for (const Entry& entry : entries_) {
    if (!entry.is_sure && kept[entry.directory()]-- <= 0) continue;
    for (const Change& each : entry.changes) {
      if (each.node) names[each.directory][each.name] = each.node;
      if (!each.node) names[each.directory].erase(each.name);
    }
  }
  return names;
}

std::string RecordedDisk::surviving_bytes(const Node& file, Rng* rng) {
  const std::string &sure = file.sure_bytes, &written = file.bytes;
  if (!rng || sure == written) return sure;
  std::string bytes = written;
  switch (rng->below(4)) {
    case 0:
      return sure;
    case 1:
      return written;
    case 2: {
      const auto [less, more] = std::minmax({sure.size(), written.size()});
      bytes.resize(less + rng->below(more - less + 1));
      break;
    }
    default:
      for (size_t i = sure.size(); i < bytes.size(); ++i) bytes[i] = 0;
  }
  return bytes;
}

void RecordedDisk::write_survivors(const std::string& path, Rng* rng) const {
  Names names = survivors(rng);
  std::map<const Node*, std::string> written;  // of a file with two names, the first
  const auto write = [&](auto&& self, Node* directory, const std::string& at) -> void {
    std::filesystem::create_directories(at);
    for (const auto& [name, node] : names[directory]) {
      const std::string file = at + "/" + name;
      if (node->is_directory) {
        self(self, node, file);
      } else if (const auto [first, is_new] = written.try_emplace(node, file); is_new) {
        write_quickly(file, surviving_bytes(*node, rng));
      } else {
        std::filesystem::create_hard_link(first->second, file);
      }
    }
  };
  write(write, root_, path);
}

std::vector<std::string> RecordedDisk::sure_names(const std::string& directory) const {
  Names names = survivors(nullptr);
  Node* node = root_;
  for (const auto& part : std::filesystem::path(directory)) {
    const auto found = names[node].find(part.string());
    if (found == names[node].end()) return {};
    node = found->second;
  }
  std::vector<std::string> all;
  for (const auto& [name, child] : names[node]) all.push_back(name);
  return all;
}

}  // namespace cria

#include "exchange/checkpoint_files.h"

#include "base/checksum.h"
#include "base/unicode.h"
#include "cria/base/error.h"
#include "cria/base/file.h"
#include "cria/exchange/load_model.h"

namespace cria {
namespace {

constexpr const char* kFiles = "files";
constexpr const char* kChecksum = "checksum";
constexpr const char* kEdited = "generation_config.json";  // by people, who choose how to sample

void require_own_checksum(const Json& trainer, const std::string& path) {
  Json::Object rest = trainer.as_object(path);
  std::erase_if(rest, [](const auto& member) { return member.first == kChecksum; });
  const std::string found = checksum(Json(std::move(rest)).dump());
  const std::string& expected = trainer.at(kChecksum, path).as_string(path + ": " + kChecksum);
  if (found == expected) return;
  throw Error("not what was written", {.where = path,
                                       .expected = "the checksum " + expected,
                                       .got = found,
                                       .hint = "--no-verify reads it as it is"});
}

}  // namespace

void add_checksums(Json& trainer, const std::string& directory) {
  Json files = Json::Object{};
  for (const std::string& name : list_directory(directory)) {
    if (name == kEdited) continue;
    files.set(name, checksum(MappedFile(join_path(directory, name)).bytes()));
  }
  trainer.set(kFiles, files);
  trainer.set(kChecksum, checksum(trainer.dump()));
}

bool require_whole(const std::string& checkpoint, CheckpointFiles files) {
  const std::string path = join_path(checkpoint, kTrainerFile);
  if (!verifies_checksums() || (files == CheckpointFiles::weights && !exists(path))) return false;
  const Json trainer = read_json(path);
  trainer.as_object(path);  // or an Error: what has no members lacks checksums too
  const Json* const said = trainer.find(kFiles);
  if (!said && !trainer.find(kChecksum)) return false;
  require_own_checksum(trainer, path);
  const std::string where = path + ": " + kFiles;
  for (const auto& [name, expected] : trainer.at(kFiles, path).as_object(where)) {
    if (name.find_first_of("/\\") != name.npos || name == "..") {
      throw Error("not the name of a file beside this one", {.where = where, .got = quote(name)});
    }
    if (files == CheckpointFiles::weights && !name.starts_with("model.")) continue;
    require_checksum(join_path(checkpoint, name), expected.as_string(where), kTrainerFile);
  }
  return true;
}

}  // namespace cria

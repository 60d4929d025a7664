// trainer.json's word about the files of its checkpoint: whether they are what was written.
#pragma once

#include <string>

#include "cria/base/json.h"

namespace cria {

// Adds to what trainer.json will hold the checksums of the files in the directory, "files", but for
// generation_config.json, which people edit, and one of all it says itself, "checksum".
void add_checksums(Json& trainer, const std::string& directory);

// Those that are compared: all, as training goes on from, or the model's weights alone. Others may
// have been edited by who uses the model.
enum class CheckpointFiles { all, weights };

// Error, naming the file, where one is missing or not the one that was written. A model directory
// without a trainer.json, and a checkpoint of before there were checksums, are taken as they are;
// so is all when checksums are not compared. Whether there were checksums.
bool require_whole(const std::string& checkpoint, CheckpointFiles files);

}  // namespace cria

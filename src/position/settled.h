// What the families need to be right, in one place for a config file and for a program.
#pragma once

#include <string>

#include "cria/position/position.h"

namespace cria {

// Fills in what 0 leaves to be derived and checks what config.name needs; keys of another encoding
// or rope_type are ignored, and so is an unknown name. The Error names the key behind `place`, what
// would fit and what there is.
PositionConfig settled(PositionConfig config, const std::string& place);

}  // namespace cria

// The words of messages about configs.
//
// Messages are one line that a person reads: whatever comes from a file is shortened and loses its
// control characters before it gets into one.
#ifndef LANGEVIN_CONFIGS_CONFIG_MESSAGE_H_
#define LANGEVIN_CONFIGS_CONFIG_MESSAGE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace langevin::configs {

// `text` with "?" for each control character, and at most `longest` bytes of it.
std::string Shown(std::string_view text, size_t longest = 60);

// The member of `names` with the fewest letters to insert, remove or replace to get from `name` to
// it (Levenshtein's distance), or nothing if even that one is too far to be a slip of the pen.
std::optional<std::string> NearestName(std::string_view name,
                                       const std::vector<std::string>& names);

// "; did you mean NAME?", or "" where no name is near.
std::string DidYouMean(std::string_view name, const std::vector<std::string>& names);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_MESSAGE_H_

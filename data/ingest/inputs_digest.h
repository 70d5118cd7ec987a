// Names the inputs and options of a data set: how prepare knows that it has nothing to do, or which
// interrupted work it may go on with.
#ifndef LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_
#define LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_

#include <string>
#include <vector>

#include "core/base/file_system.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

// By contents, wherever the files lie and whenever they were copied there: what the manifest holds.
// `contents` has ContentsOf of each source file, `options` all that decides what is made of them.
std::string InputsDigest(const std::string& options, const Sources& sources,
                         const std::vector<std::string>& contents);

// By paths, sizes and times of change, without opening a file: what an interrupted preparation is
// known by. 32 hexadecimal digits.
std::string JournalKey(FileSystem& file_system, const std::string& options, const Sources& sources);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_

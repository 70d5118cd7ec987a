// Names the inputs and options of a data set by contents, wherever they lie and whenever they were
// copied there: how prepare knows that it has nothing to do.
#ifndef LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_
#define LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_

#include <string>

#include "core/base/digest.h"
#include "core/base/file_system.h"
#include "data/ingest/prepare_job.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

// One thread at a time.
class InputsDigest {
 public:
  InputsDigest(const PrepareOptions& options, const Sources& sources);

  // Reads the file, and the one with its labels, from beginning to end. A file that cannot be read
  // counts as such: whoever decodes it says why.
  void Add(FileSystem& file_system, const SourceFile& file);

  std::string Hex() const { return digest_.Hex(); }

 private:
  void AddContents(FileSystem& file_system, const std::string& path);

  Digest digest_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_INPUTS_DIGEST_H_

// All that is done with one source item before anybody looks at the others: decoding, geometry,
// missing data, measures. The one place where an item is decoded.
//
// Runs in the sandbox. A function of the item's files and the config alone.
#ifndef LANGEVIN_DATA_INGEST_ANALYSE_ITEM_H_
#define LANGEVIN_DATA_INGEST_ANALYSE_ITEM_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/sandboxed_worker.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

class Privacy;

// The work of a SandboxedWorker whose pieces are indices into `sources.files`. Records are a
// serialised SpoolImage with pixels and mask; the last words are the digest of the item's files.
// `privacy` may be null where no source is medical. All must
// outlive it.
SandboxedWork AnalysisOf(const Sources& sources, const configs::PrepareConfig& config,
                         const Privacy* privacy);

// Names the contents of the item's files; "?" stands for one that cannot be read.
std::string ContentsOf(const SourceFile& file);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_ANALYSE_ITEM_H_

// Which images belong together, and to which split they go.
#ifndef LANGEVIN_DATA_INGEST_SPLITS_H_
#define LANGEVIN_DATA_INGEST_SPLITS_H_

#include <string>
#include <vector>

#include "configs/prepare_config.h"
#include "data/ingest/preparation_summary.h"
#include "data/ingest/source_scan.h"

namespace langevin::data {

// Sets group and split of each image. A group is what config.group_by names, or where an image has
// none of that, its file; images of a file that is a mere table of images (IDX) are groups of their
// own. With a validation fraction a group's split depends on its hash and the seed alone: files
// that are added move no others. Returns remarks for people.
std::vector<std::string> AssignSplits(const Sources& sources, const configs::PrepareConfig& config,
                                      std::vector<ImageRecord>& images);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SPLITS_H_

// What a preparation found and decided, all in one value: what report.html and rejected.csv are
// made from.
//
// It holds the small records of all images, no pixels but those of the few pictures that are shown.
#ifndef LANGEVIN_DATA_INGEST_PREPARATION_SUMMARY_H_
#define LANGEVIN_DATA_INGEST_PREPARATION_SUMMARY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/png.h"
#include "data/dataset.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/quality/judge.h"
#include "data/ingest/quality/measures.h"
#include "data/ingest/source_scan.h"
#include "data/manifest.h"

namespace langevin::data {

// One image that a source gave, without its pixels.
struct ImageRecord {
  int64_t item = 0;         // Index into Sources::files.
  int64_t index = 0;        // Among the images of its item.
  ImageShape source_shape;  // Before geometry.
  ImageShape shape;         // As stored.
  DType dtype = DType::kUint8;
  int32_t bits = 8;
  bool alpha_left_out = false;
  bool has_mask = false;
  PhysicalUnits physical;
  int64_t label = -1;
  Measures measures;
  std::shared_ptr<const MedicalFacts> medical;  // Null where the source says nothing of the kind.
  std::vector<std::string> notes;
  // Decided by the plan:
  uint64_t group = 0;  // Images of one group are in one split.
  Split split = Split::kTrain;
  int32_t dataset = 0;    // Index into PreparationSummary::datasets.
  bool rejected = false;  // By a finding, or set aside.
};

// A row of rejected.csv: a file that could not be read, or an image that was left out.
struct RejectedRow {
  std::string path;
  int64_t image = -1;  // Index into PreparationSummary::images; -1: of a file without an image.
  std::string reason;
  double score = 0;  // Of the finding; 0 where there is none.
};

// Counts of numbers in equal parts of [low, high]; what lies outside is in the first or last.
struct ValueHistogram {
  double low = 0, high = 1;
  std::vector<int64_t> bins;
};

struct PreparationSummary {
  std::string title;     // What the data set is called.
  std::string config;    // The effective config, in text format.
  bool dry_run = false;  // Then shards, digests and fingerprints in `datasets` are empty.
  Sources sources;

  // One, or one for each aspect bucket, in subfolders of that name ("" for the only one).
  struct PlannedDataset {
    std::string subfolder;
    Manifest manifest;
  };
  std::vector<PlannedDataset> datasets;

  std::vector<ImageRecord> images;  // In the order of the sources.
  std::vector<Finding> findings;    // By index into `images`; also those that reject nothing.
  std::vector<RejectedRow> rejected;

  // Small pictures of some images, by index into `images`: examples of each class and split,
  // rejected ones, and pairs of duplicates.
  std::map<int64_t, Picture> pictures;
  // Of an even sample of the images: physical values as decoded, and the model's.
  ValueHistogram before, after;
  int64_t histogram_images = 0;    // How many images the sample has.
  std::vector<std::string> notes;  // "no image names a patient: grouped by file".
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PREPARATION_SUMMARY_H_

// For dicom_test.py and nifti_test.py: what the medical readers make of files.
//
//     langevin_medical_dump OUT.bin [--KEY VALUE]... MODE FILE...
//
// MODE files: each file by itself, DICOM or NIfTI by content. series: all files as one DICOM series
// in the order given. scan: probes the files, groups them and decodes each series. Prints a JSON
// line per item: its status, and for each image its fields and where in OUT.bin its numbers are.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "data/ingest/medical/series.h"
#include "data/ingest/readers/dicom_decoder.h"
#include "data/ingest/readers/nifti_decoder.h"
#include "nlohmann/json.hpp"

namespace langevin::data {
namespace {

using nlohmann::json;

class Dump {
 public:
  explicit Dump(const std::string& path) : out_(path, std::ios::binary) {}

  absl::Status Add(const DecodedImage& image) {
    const MedicalFacts& facts = image.medical;
    json row = {{"shape", {image.shape.height, image.shape.width, image.shape.channels}},
                {"dtype", image.dtype == DType::kUint8    ? "uint8"
                          : image.dtype == DType::kUint16 ? "uint16"
                                                          : "float32"},
                {"bits", image.bits},
                {"images_in_file", image.images_in_file},
                {"scale", image.physical.scale},
                {"offset", image.physical.offset},
                {"unit", image.physical.unit},
                {"modality", facts.modality},
                {"group", facts.group},
                {"series", facts.series},
                {"spacing", facts.spacing_mm},
                {"burned_in", facts.burned_in_annotation},
                {"secondary", facts.secondary_capture},
                {"notes", image.notes},
                {"pixels", Put(image.pixels.data(), image.pixels.size())},
                {"has_mask", !image.mask.empty()},
                {"mask", Put(image.mask.data(), image.mask.size())}};
    if (facts.position_mm.has_value()) row["position"] = *facts.position_mm;
    if (facts.normal.has_value()) row["normal"] = *facts.normal;
    images_.push_back(std::move(row));
    return absl::OkStatus();
  }

  void Finish(const absl::Status& status, json item = json::object()) {
    item["status"] = status.ok() ? "" : std::string(status.message());
    item["images"] = std::exchange(images_, json::array());
    std::cout << item.dump() << std::endl;
  }

 private:
  uint64_t Put(const void* bytes, size_t size) {
    const uint64_t offset = written_;
    out_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
    written_ += size;
    return offset;
  }

  std::ofstream out_;
  uint64_t written_ = 0;
  json images_ = json::array();
};

std::vector<std::byte> HeadOf(const std::string& path) {
  std::vector<std::byte> head(352);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  return head;
}

void Set(const std::string& key, const std::string& value, configs::MedicalConfig& config,
         configs::PrivacyConfig& privacy) {
  if (key == "--voi") {
    config.voi = value == "fixed" ? configs::VoiMode::kFixed : configs::VoiMode::kFile;
  } else if (key == "--voi_index") {
    config.voi_index = std::stoi(value);
  } else if (key == "--voi_name") {
    config.voi_name = value;
  } else if (key == "--center") {
    config.voi_center = std::stod(value);
  } else if (key == "--width") {
    config.voi_width = std::stod(value);
  } else if (key == "--axis") {
    config.axis = value == "axial"      ? configs::SliceAxis::kAxial
                  : value == "coronal"  ? configs::SliceAxis::kCoronal
                  : value == "sagittal" ? configs::SliceAxis::kSagittal
                                        : configs::SliceAxis::kAcquired;
  } else if (key == "--spacing") {
    config.spacing_mm.push_back(std::stod(value));
  } else if (key == "--skip_empty") {
    config.skip_empty = std::stod(value);
  } else if (key == "--keep") {
    privacy.keep_burned_in = privacy.keep_secondary_capture = value == "all";
  }
}

int Run(int argc, char** argv) {
  configs::MedicalConfig config;
  configs::PrivacyConfig privacy_config;
  int at = 2;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    Set(argv[at], argv[at + 1], config, privacy_config);
  }
  const Privacy privacy("sixteen bytes and more", privacy_config);
  Dump dump(argv[1]);
  const ImageSink sink = [&](const DecodedImage& image) { return dump.Add(image); };
  const std::string mode = argv[at];
  const std::vector<std::string> paths(argv + at + 1, argv + argc);
  if (mode == "series") {
    dump.Finish(DecodeDicomSeries(paths, config, privacy, sink));
    return 0;
  }
  std::vector<DicomProbe> probes;
  for (const std::string& path : paths) {
    const bool dicom = LooksLikeDicom(HeadOf(path));
    if (mode == "scan") {
      const absl::StatusOr<DicomProbe> probe = ProbeDicom(path, privacy);
      const absl::StatusOr<DicomProbe> sent =
          probe.ok() ? ProbeFromText(ProbeToText(*probe)) : probe;
      probes.push_back(sent.ok() ? *sent : DicomProbe{.reason = sent.status().ToString()});
      continue;
    }
    dump.Finish(
        dicom ? DecodeDicom(path, config, privacy, sink) : DecodeNifti(path, config, privacy, sink),
        {{"dicom", dicom}});
  }
  for (const DicomSeries& series : GroupIntoSeries(probes)) {
    std::vector<std::string> files;
    for (const int64_t index : series.files) files.push_back(paths[static_cast<size_t>(index)]);
    dump.Finish(DecodeDicomSeries(files, config, privacy, sink),
                {{"files", series.files},
                 {"series_notes", series.notes},
                 {"series_spacing", series.spacing_mm},
                 {"uniform", series.uniform}});
  }
  return 0;
}

}  // namespace
}  // namespace langevin::data

int main(int argc, char** argv) { return argc < 4 ? 2 : langevin::data::Run(argc, argv); }

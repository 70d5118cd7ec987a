#include "core/metrics/extract_together.h"

#include <algorithm>

#include "ATen/ATen.h"
#include "core/base/status_macros.h"

namespace langevin::metrics {
namespace {

// Features and logits of one batch side by side. What the batch lacks at the end is its last image.
absl::StatusOr<at::Tensor> ExtractBatch(const FeatureExtractor& extractor, const ImageSize& size,
                                        int64_t first, int64_t count, const ImageSource& source) {
  at::Tensor images =
      at::empty({kFeatureBatch, size.channels, size.height, size.width}, at::kFloat);
  const int64_t given = std::min(kFeatureBatch, count - first);
  for (int64_t i = 0; i < given; ++i) {
    const std::span<float> image(images.data_ptr<float>() + i * size.values(),
                                 static_cast<size_t>(size.values()));
    LANGEVIN_RETURN_IF_ERROR(source(first + i, image));
  }
  if (given < kFeatureBatch) {
    images.narrow(0, given, kFeatureBatch - given).copy_(images.narrow(0, given - 1, 1));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const Features features, extractor.Extract(images));
  return features.logits.defined() ? at::cat({features.values, features.logits}, 1)
                                   : features.values;
}

}  // namespace

absl::StatusOr<Features> ExtractTogether(distributed::Communicator& communicator,
                                         const FeatureExtractor& extractor, const ImageSize& size,
                                         const at::Device& device, int64_t count,
                                         const ImageSource& source,
                                         const std::function<void(int64_t)>& on_images) {
  const int64_t ranks = communicator.size();
  const int64_t dimension = extractor.info().dimension, classes = extractor.info().classes;
  const int64_t width = dimension + classes;
  const bool keeps = communicator.rank() == 0;
  Features features = {at::empty({keeps ? count : 0, dimension}, at::kFloat), {}};
  if (classes > 0) features.logits = at::empty({keeps ? count : 0, classes}, at::kFloat);
  for (int64_t begin = 0; begin < count; begin += ranks * kFeatureBatch) {
    const int64_t first = begin + communicator.rank() * kFeatureBatch;
    at::Tensor mine = at::zeros({kFeatureBatch, width});
    if (first < count) {
      LANGEVIN_ASSIGN_OR_RETURN(mine, ExtractBatch(extractor, size, first, count, source));
    }
    at::Tensor all = mine;
    if (ranks > 1) {
      const at::Tensor input = mine.to(device).flatten();
      const at::Tensor output = at::empty({ranks * input.numel()}, input.options());
      LANGEVIN_RETURN_IF_ERROR(communicator.AllGather(output, input)->Wait());
      all = output.to(at::kCPU).view({ranks * kFeatureBatch, width});
    }
    const int64_t done = std::min(count, begin + ranks * kFeatureBatch);
    if (keeps) {
      const at::Tensor rows = all.narrow(0, 0, done - begin);
      features.values.narrow(0, begin, done - begin).copy_(rows.narrow(1, 0, dimension));
      if (classes > 0) {
        features.logits.narrow(0, begin, done - begin).copy_(rows.narrow(1, dimension, classes));
      }
    }
    if (on_images) on_images(done);
  }
  return features;
}

}  // namespace langevin::metrics

// Whether two images are the same but for a small shift, brightness and contrast, as far as their
// descriptors (perceptual.h) tell.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_LIKENESS_H_
#define LANGEVIN_DATA_INGEST_QUALITY_LIKENESS_H_

#include "data/ingest/quality/measures.h"

namespace langevin::data {

using Descriptor = decltype(Measures::descriptor);

// The part of one image's variance that the other does not explain: 0 equal, 1 nothing in common.
// The one is laid over the other by the shift, gain and offset that fit best (Gauss-Newton from no
// shift; at most three cells, and a gain between 1/3 and 3), both ways, and the worse is taken.
// Cells that are unknown in either do not count; with fewer than a sixth left it is 1.
//
// Exact up to `bound`; beyond it, some number above it, which is found sooner. Below it symmetric.
// Any thread.
double Unlikeness(const Descriptor& a, const Descriptor& b, double bound);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_LIKENESS_H_

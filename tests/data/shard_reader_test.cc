// Files that HDF5 would open gladly and that are refused all the same.
#include "data/shard_reader.h"

#include <hdf5.h>

#include <functional>
#include <string>
#include <vector>

#include "core/base/crc32c.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

constexpr hsize_t kCount = 4;
constexpr hsize_t kExtent[4] = {kCount, 4, 3, 2};

void SetInteger(hid_t file, const char* name, int64_t value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(file, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_INT64, &value);
  H5Aclose(attribute);
  H5Sclose(space);
}

void SetReal(hid_t file, const char* name, double value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_DOUBLE, &value);
  H5Aclose(attribute);
  H5Sclose(space);
}

void AddDataset(hid_t file, const char* name, hid_t type, std::vector<hsize_t> extent, hid_t memory,
                const void* values, hid_t properties = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(dataset, 0) << name;
  if (values != nullptr) {
    ASSERT_GE(H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
  }
  H5Dclose(dataset);
  H5Sclose(space);
}

class ShardReaderTest : public DataTest {
 protected:
  ShardReaderTest() {
    for (int64_t i = 0; i < static_cast<int64_t>(kCount); ++i) {
      const std::vector<std::byte> image = TestPixels(SmallSpec(), i);
      pixels_.insert(pixels_.end(), image.begin(), image.end());
      crcs_.push_back(Crc32c(image));
    }
  }

  // A shard written with HDF5's own calls; `add_images` makes /images.
  void MakeShard(const std::function<void(hid_t)>& add_images, int64_t complete = 1,
                 hid_t crc_type = H5T_STD_U32LE) {
    const hid_t file = H5Fcreate(Path("shard.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ASSERT_GE(file, 0);
    add_images(file);
    AddDataset(file, "crc32c", crc_type, {kCount}, H5T_NATIVE_UINT32, crcs_.data());
    SetInteger(file, "format_version", 1);
    SetInteger(file, "count", kCount);
    SetReal(file, "intensity_scale", 1 / 127.5);
    SetReal(file, "intensity_offset", -1);
    if (complete >= 0) SetInteger(file, "complete", complete);
    ASSERT_GE(H5Fclose(file), 0);
  }

  void AddImages(hid_t file, hid_t properties = H5P_DEFAULT, hid_t type = H5T_STD_U8LE) {
    AddDataset(file, "images", type, {kExtent, kExtent + 4}, H5T_NATIVE_UINT8, pixels_.data(),
               properties);
  }

  void ExpectRefused(const std::string& why) {
    const auto shard = ShardReader::Open(files_, Path("shard.h5"));
    EXPECT_TRUE(absl::IsDataLoss(shard.status())) << shard.status();
    EXPECT_NE(shard.status().message().find("shard.h5"), absl::string_view::npos);
    EXPECT_NE(shard.status().message().find(why), absl::string_view::npos) << shard.status();
  }

  std::vector<std::byte> pixels_;
  std::vector<uint32_t> crcs_;
};

// What the tests below change one thing of.
TEST_F(ShardReaderTest, ReadsAShardThatPlainHdf5Wrote) {
  MakeShard([this](hid_t file) { AddImages(file); });
  const auto shard = ShardReader::Open(files_, Path("shard.h5"));
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_EQ((*shard)->count(), 4);
  std::vector<std::byte> pixels(24);
  ASSERT_TRUE((*shard)->ReadImage(3, /*verify=*/true, pixels).ok());
  EXPECT_EQ(pixels, TestPixels(SmallSpec(), 3));
}

TEST_F(ShardReaderTest, UnfinishedIsRefused) {
  MakeShard([this](hid_t file) { AddImages(file); }, /*complete=*/0);
  ExpectRefused("never finished");
  MakeShard([this](hid_t file) { AddImages(file); }, /*complete=*/-1);
  ExpectRefused("attribute complete is missing");
}

TEST_F(ShardReaderTest, ExternalStorageIsRefused) {
  Write("secret", std::string(pixels_.size(), 'x'));
  MakeShard([this](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, Path("secret").c_str(), 0, pixels_.size());
    AddDataset(file, "images", H5T_STD_U8LE, {kExtent, kExtent + 4}, H5T_NATIVE_UINT8, nullptr,
               properties);
    H5Pclose(properties);
  });
  ExpectRefused("external storage");
}

TEST_F(ShardReaderTest, LinksToElsewhereAreRefused) {
  MakeShard([this](hid_t file) { AddImages(file); });
  ASSERT_TRUE(files_.Rename(Path("shard.h5"), Path("other.h5")).ok());
  MakeShard([this](hid_t file) {
    H5Lcreate_external(Path("other.h5").c_str(), "/images", file, "images", H5P_DEFAULT,
                       H5P_DEFAULT);
  });
  ExpectRefused("is a link");
  MakeShard(
      [](hid_t file) { H5Lcreate_soft("/elsewhere", file, "images", H5P_DEFAULT, H5P_DEFAULT); });
  ExpectRefused("is a");
}

TEST_F(ShardReaderTest, VirtualDatasetsAreRefused) {
  MakeShard([this](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(4, kExtent, nullptr);
    H5Pset_virtual(properties, space, Path("other.h5").c_str(), "/images", space);
    AddDataset(file, "images", H5T_STD_U8LE, {kExtent, kExtent + 4}, H5T_NATIVE_UINT8, nullptr,
               properties);
    H5Sclose(space);
    H5Pclose(properties);
  });
  ExpectRefused("virtual");
}

TEST_F(ShardReaderTest, FiltersAndChunksAreRefused) {
  for (const bool deflate : {true, false}) {
    MakeShard([&](hid_t file) {
      const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
      H5Pset_chunk(properties, 4, kExtent);
      if (deflate) H5Pset_deflate(properties, 1);
      AddImages(file, properties);
      H5Pclose(properties);
    });
    ExpectRefused(deflate ? "compressed or filtered" : "contiguously");
  }
}

TEST_F(ShardReaderTest, OtherNumberFormatsAreRefused) {
  for (const hid_t type : {H5T_STD_U16BE, H5T_STD_I8LE, H5T_IEEE_F64LE, H5T_STD_I64LE}) {
    MakeShard([&](hid_t file) { AddImages(file, H5P_DEFAULT, type); });
    ExpectRefused("/images");
  }
  MakeShard([this](hid_t file) { AddImages(file); }, /*complete=*/1, H5T_STD_U64LE);
  ExpectRefused("/crc32c");
}

TEST_F(ShardReaderTest, OtherShapesAreRefused) {
  MakeShard([this](hid_t file) {
    AddDataset(file, "images", H5T_STD_U8LE, {kCount, 12, 2}, H5T_NATIVE_UINT8, pixels_.data());
  });
  ExpectRefused("4 dimensions");
  MakeShard([this](hid_t file) {
    AddDataset(file, "images", H5T_STD_U8LE, {2, 8, 3, 2}, H5T_NATIVE_UINT8, pixels_.data());
  });
  ExpectRefused("count is 4");
  // Space that was never allocated: the file is smaller than the shape says.
  MakeShard([](hid_t file) {
    AddDataset(file, "images", H5T_STD_U8LE, {kCount, 1 << 20, 1 << 20, 3}, H5T_NATIVE_UINT8,
               nullptr);
  });
  ExpectRefused("too small");
}

}  // namespace
}  // namespace langevin::data

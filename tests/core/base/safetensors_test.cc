#include "core/base/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "gtest/gtest.h"

namespace langevin {
namespace {

class SafetensorsTest : public testing::Test {
 protected:
  SafetensorsTest() : folder_(testing::TempDir() + "safetensors_test_" + std::to_string(getpid())) {
    EXPECT_TRUE(files_.RemoveTree(folder_).ok());
    EXPECT_TRUE(files_.CreateFolders(folder_).ok());
  }
  ~SafetensorsTest() override { files_.RemoveTree(folder_).IgnoreError(); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }

  // Opens a file of these bytes.
  absl::StatusOr<SafetensorsFile> OpenBytes(std::string_view bytes) {
    auto file = files_.NewWritableFile(Path("file"));
    EXPECT_TRUE(file.ok() && (*file)->Append(bytes).ok() && (*file)->Close().ok());
    return SafetensorsFile::Open(files_, Path("file"));
  }

  // Opens a file of this header, its length in front, and so many bytes of data.
  absl::StatusOr<SafetensorsFile> OpenHeader(const std::string& header, size_t data_bytes) {
    uint64_t length = header.size();
    std::string bytes(sizeof(length), '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    return OpenBytes(bytes + header + std::string(data_bytes, 'x'));
  }

  FileSystem& files_ = PosixFileSystem();
  const std::string folder_;
};

std::string ReadAll(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsFile::Entry& entry = file.entries().at(name);
  std::string bytes(entry.size, '\0');
  const absl::Status status =
      file.Read({name, entry.dtype, entry.shape, std::as_writable_bytes(std::span(bytes))});
  EXPECT_TRUE(status.ok()) << status;
  return bytes;
}

TensorView View(const std::string& name, DType dtype, std::vector<int64_t> shape,
                const std::string& bytes) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span(bytes))};
}

// Written by safetensors 0.8.0 for Python:
// save({"b": np.array([1, 2], np.uint16), "a": np.array([[1.5], [-2]], np.float32)},
//      {"format": "pt"}).
std::string PythonFile() {
  const std::string header =
      "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],"
      "\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[8,12]}}   ";
  const uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  return bytes + header + std::string("\x00\x00\xc0\x3f\x00\x00\x00\xc0\x01\x00\x02\x00", 12);
}

TEST_F(SafetensorsTest, ReadsWhatPythonWrote) {
  const auto file = OpenBytes(PythonFile());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(file->entries().size(), 2);
  EXPECT_EQ(file->entries().at("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(file->entries().at("b").dtype, DType::kUint16);
  EXPECT_EQ(ReadAll(*file, "a"), std::string("\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8));
  EXPECT_EQ(ReadAll(*file, "b"), std::string("\x01\x00\x02\x00", 4));
}

TEST_F(SafetensorsTest, WhatIsWrittenIsRead) {
  const std::string scalar(8, 's'), matrix(24, 'm'), empty, odd(3, 'o');
  const std::string awkward = "a \"quoted\" \\ name\n\xc3\xa9";
  ASSERT_TRUE(WriteSafetensors(files_, Path("out"),
                               {View(awkward, DType::kInt64, {}, scalar),
                                View("matrix", DType::kFloat32, {2, 3}, matrix),
                                View("empty", DType::kFloat16, {0, 5}, empty),
                                View("odd", DType::kUint8, {3}, odd)},
                               {{"key", "value with \"quotes\""}})
                  .ok());
  EXPECT_EQ(*files_.List(folder_), std::vector<std::string>{"out"});  // No temporary file is left.
  const auto file = SafetensorsFile::Open(files_, Path("out"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata().at("key"), "value with \"quotes\"");
  EXPECT_EQ(ReadAll(*file, awkward), scalar);
  EXPECT_EQ(ReadAll(*file, "matrix"), matrix);
  EXPECT_EQ(ReadAll(*file, "empty"), empty);
  EXPECT_EQ(ReadAll(*file, "odd"), odd);
  EXPECT_EQ(file->entries().at("matrix").offset % 8, 0);
}

TEST_F(SafetensorsTest, AFileWithoutTensorsIsFine) {
  ASSERT_TRUE(WriteSafetensors(files_, Path("out"), {}, {}).ok());
  const auto file = SafetensorsFile::Open(files_, Path("out"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->entries().empty());
}

TEST_F(SafetensorsTest, ATensorOfAnotherKindIsNotRead) {
  const auto file = OpenBytes(PythonFile());
  std::string buffer(8, '\0');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  for (const MutableTensorView& wanted : {MutableTensorView{"c", DType::kFloat32, {2, 1}, bytes},
                                          MutableTensorView{"a", DType::kInt32, {2, 1}, bytes},
                                          MutableTensorView{"a", DType::kFloat32, {1, 2}, bytes}}) {
    const absl::Status status = file->Read(wanted);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_NE(status.message().find(Path("file")), absl::string_view::npos) << status;
  }
  EXPECT_TRUE(absl::IsInternal(file->Read({"a", DType::kFloat32, {2, 1}, bytes.first(4)})));
}

TEST_F(SafetensorsTest, NothingIsWrittenThatCouldNotBeRead) {
  const std::string bytes(4, 'x');
  const TensorView good = View("a", DType::kFloat32, {1}, bytes);
  const std::vector<std::vector<TensorView>> lists = {
      {good, good},
      {View("", DType::kFloat32, {1}, bytes)},
      {View("__metadata__", DType::kFloat32, {1}, bytes)},
      {View("a", DType::kFloat32, {2}, bytes)},
      {View("a", DType::kFloat32, {-1}, bytes)},
      {View("a", DType::kFloat32, {1, 1, 1, 1, 1, 1, 1, 1, 1}, bytes)},
  };
  for (const auto& list : lists) {
    EXPECT_TRUE(absl::IsInternal(WriteSafetensors(files_, Path("out"), list, {})));
    EXPECT_FALSE(files_.Exists(Path("out")));
  }
}

TEST_F(SafetensorsTest, HostileHeadersAreRefused) {
  // One tensor "a" that is good if the rest is.
  const auto tensor = [](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return absl::StrCat("{\"a\":{\"dtype\":", dtype, ",\"shape\":", shape,
                        ",\"data_offsets\":", offsets, "}}");
  };
  ASSERT_TRUE(OpenHeader(tensor("\"F32\"", "[2]", "[0,8]"), 8).ok());
  const std::string a = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
  const std::vector<std::pair<std::string, size_t>> cases = {
      {"", 0},
      {"[]", 0},
      {"null", 0},
      {" {}", 0},
      {"{", 0},
      {"{} {}", 0},
      {"{}\xff", 0},
      {"{}", 1},                               // Data that no tensor describes.
      {tensor("\"F32\"", "[2]", "[0,8]"), 9},  // A gap at the end.
      {tensor("\"F32\"", "[2]", "[0,8]"), 7},  // Cut short.
      {tensor("\"F32\"", "[2]", "[1,9]"), 9},  // A gap at the beginning.
      {tensor("\"F32\"", "[2]", "[0,7]"), 7},  // Offsets against the shape.
      {tensor("\"F32\"", "[2]", "[8,0]"), 8},  // Backwards.
      {tensor("\"F32\"", "[2]", "[0,8,8]"), 8},
      {tensor("\"F32\"", "[2]", "[0]"), 8},
      {tensor("\"F32\"", "[2]", "\"08\""), 8},
      {tensor("\"F32\"", "[-2]", "[0,8]"), 8},
      {tensor("\"F32\"", "[2.0]", "[0,8]"), 8},
      {tensor("\"F32\"", "[1e0]", "[0,4]"), 4},
      {tensor("\"F32\"", "[[2]]", "[0,8]"), 8},
      {tensor("\"F32\"", "[true]", "[0,4]"), 4},
      {tensor("\"F32\"", "2", "[0,8]"), 8},
      {tensor("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8},      // Nine dimensions.
      {tensor("\"F32\"", "[4611686018427387904,4]", "[0,0]"), 0},  // 2^64 elements wrap to none.
      {tensor("\"F32\"", "[4611686018427387905]", "[0,4]"), 4},    // 2^64 + 4 bytes wrap to 4.
      {tensor("\"F32\"", "[18446744073709551615]", "[0,8]"), 8},
      {tensor("\"F32\"", "[99999999999999999999999]", "[0,8]"), 8},
      {tensor("\"F33\"", "[2]", "[0,8]"), 8},
      {tensor("\"BOOL\"", "[8]", "[0,8]"), 8},
      {tensor("4", "[2]", "[0,8]"), 8},
      {tensor("\"U8\"", "[8]", "[18446744073709551608,0]"), 0},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"more\":[]}}", 4},
      {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4},
      {"{\"a\":{\"shape\":[2],\"shape\":[2],\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", 4},
      {"{\"a\":7}", 0},
      {"{\"a\":\"text\"}", 0},
      {absl::StrCat("{", a, ",", a, "}"), 4},  // A name twice.
      {absl::StrCat("{", a, ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"), 4},
      {absl::StrCat("{", a, ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}"), 7},
      {absl::StrCat("{", a, ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]}}"), 9},
      {"{\"__metadata__\":{\"k\":1}}", 0},
      {"{\"__metadata__\":{\"k\":null}}", 0},
      {"{\"__metadata__\":{\"k\":{}}}", 0},
      {"{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"}}", 0},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0},
      {"{\"__metadata__\":\"text\"}", 0},
      {"{\"\xff\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4},  // Not UTF-8.
      {std::string("{\0}", 3), 0},
  };
  for (const auto& [header, data_bytes] : cases) {
    const auto file = OpenHeader(header, data_bytes);
    EXPECT_TRUE(absl::IsDataLoss(file.status())) << header << ": " << file.status();
    // One line that names the file.
    EXPECT_NE(file.status().message().find(Path("file")), absl::string_view::npos) << header;
    EXPECT_EQ(file.status().message().find('\n'), absl::string_view::npos) << header;
  }
}

TEST_F(SafetensorsTest, NestingCostsNoStack) {
  const std::string deep(size_t{8} << 20, '[');
  EXPECT_TRUE(absl::IsDataLoss(OpenHeader("{\"a\":" + deep, 0).status()));
  std::string objects = "{";
  for (int i = 0; i < 1000000; ++i) objects += "\"a\":{";
  EXPECT_TRUE(absl::IsDataLoss(OpenHeader(objects, 0).status()));
}

TEST_F(SafetensorsTest, TooManyTensorsAreRefused) {
  for (const int count : {65536, 65537}) {
    std::string header = "{";
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&header, i == 0 ? "" : ",", "\"", i,
                      "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}");
    }
    EXPECT_EQ(OpenHeader(header + "}", 0).ok(), count == 65536) << count;
  }
}

TEST_F(SafetensorsTest, LengthsThatLieAreRefused) {
  // Each byte of the length in turn set so that it claims more than the file has, up to 2^64 - 1.
  for (int byte = 0; byte < 8; ++byte) {
    std::string bytes = PythonFile();
    bytes[byte] = '\xff';
    EXPECT_TRUE(absl::IsDataLoss(OpenBytes(bytes).status())) << byte;
  }
  EXPECT_TRUE(absl::IsDataLoss(OpenBytes(std::string(8, '\xff')).status()));
  // 16 MiB and 1 byte of header that is really there.
  EXPECT_TRUE(OpenHeader("{}" + std::string((16 << 20) - 2, ' '), 0).ok());
  EXPECT_TRUE(absl::IsDataLoss(OpenHeader("{}" + std::string((16 << 20) - 1, ' '), 0).status()));
}

TEST_F(SafetensorsTest, EveryTruncationIsFound) {
  const std::string whole = PythonFile();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(OpenBytes(whole.substr(0, size)).status())) << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(OpenBytes(whole + "x").status()));
}

TEST_F(SafetensorsTest, LinksAndPipesAreRefused) {
  ASSERT_TRUE(OpenBytes(PythonFile()).ok());
  ASSERT_EQ(symlink(Path("file").c_str(), Path("link").c_str()), 0);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const char* name : {"link", "pipe"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SafetensorsFile::Open(files_, Path(name)).status()));
  }
}

// Mutated files must be refused, or be files whose every tensor lies inside and can be read. The
// sanitizers of the debug build see what goes wrong beyond that.
TEST_F(SafetensorsTest, MutationsNeverEscapeTheFile) {
  const std::string seed_file = PythonFile();
  const std::string alphabet = "\"{}[]:,0123456789-.eE\\ \xff\x80" + std::string(1, '\0');
  int accepted = 0;
  for (uint64_t position = 0; position < 5000; ++position) {
    const RandomStream random(/*seed=*/7, position, RandomPurpose::kAugmentation);
    uint32_t draw = 0;
    std::string bytes = seed_file;
    const uint32_t changes = 1 + random.UniformInt(draw++, 4);
    for (uint32_t change = 0; change < changes; ++change) {
      const uint32_t place = random.UniformInt(draw++, static_cast<uint32_t>(bytes.size()));
      const char value = alphabet[random.UniformInt(draw++, alphabet.size())];
      switch (random.UniformInt(draw++, 4)) {
        case 0:
          bytes[place] = value;
          break;
        case 1:
          bytes.insert(place, 1, value);
          bytes[0] += 1;  // Keep the length right, or most mutations end there.
          break;
        case 2:
          bytes.erase(place, 1);
          bytes[0] -= 1;
          break;
        default:
          bytes.insert(place, bytes, place, random.UniformInt(draw++, 20));
      }
    }
    const auto file = OpenBytes(bytes);
    if (!file.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(file.status())) << file.status();
      continue;
    }
    ++accepted;
    uint64_t total = 0;
    for (const auto& [name, entry] : file->entries()) {
      EXPECT_EQ(entry.size, ByteSizeOf(entry.dtype, entry.shape));
      EXPECT_EQ(ReadAll(*file, name), bytes.substr(entry.offset, entry.size));
      total += entry.size;
    }
    uint64_t length;
    std::memcpy(&length, bytes.data(), sizeof(length));
    EXPECT_EQ(8 + length + total, bytes.size());
  }
  EXPECT_GT(accepted, 0);  // Changed data and names: otherwise the test would look at nothing.
}

}  // namespace
}  // namespace langevin

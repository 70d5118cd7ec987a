#include "distributed/reduction_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

std::string Text(const TreeNode& node) {
  if (node.size() == 1) return absl::StrCat(node.begin);
  const int64_t middle = SplitPoint(node);
  return absl::StrCat("(", Text({node.begin, middle}), "+", Text({middle, node.end}), ")");
}

// The order of summation is part of what "bit for bit" promises across versions.
TEST(ReductionTreeTest, ShapeIsFrozen) {
  EXPECT_EQ(Text({0, 1}), "0");
  EXPECT_EQ(Text({0, 4}), "((0+1)+(2+3))");
  EXPECT_EQ(Text({0, 6}), "(((0+1)+(2+3))+(4+5))");
  EXPECT_EQ(Text({0, 7}), "(((0+1)+(2+3))+((4+5)+6))");
}

TEST(ReductionTreeTest, CoveringNodesAreNodesThatMakeUpTheRange) {
  for (int64_t total = 1; total <= 40; ++total) {
    for (int64_t begin = 0; begin < total; ++begin) {
      for (int64_t end = begin + 1; end <= total; ++end) {
        int64_t reached = begin;
        for (const TreeNode& node : CoveringNodes(total, {begin, end})) {
          ASSERT_EQ(node.begin, reached);
          ASSERT_NE(Text({0, total}).find(Text(node)), std::string::npos)
              << node.begin << " to " << node.end << " is no node of " << total;
          reached = node.end;
        }
        ASSERT_EQ(reached, end);
      }
    }
  }
}

TEST(ReductionTreeTest, EqualRunsOfPowersOfTwoAreSingleNodes) {
  for (const int64_t length : {1, 2, 4, 8}) {
    for (int64_t ranks = 1; ranks <= 12; ++ranks) {
      for (int64_t rank = 0; rank < ranks; ++rank) {
        EXPECT_EQ(CoveringNodes(ranks * length, {rank * length, (rank + 1) * length}).size(), 1u);
      }
    }
  }
}

TEST(ReductionTreeTest, SumsPartsInTheOrderOfTheWholeTree) {
  std::vector<TreeNode> parts = CoveringNodes(12, {0, 3});
  for (const TreeNode& node : CoveringNodes(12, {3, 6})) parts.push_back(node);
  for (const TreeNode& node : CoveringNodes(12, {6, 12})) parts.push_back(node);
  const std::string sum = SumOverTree<std::string>(
      parts, [&](size_t i) { return Text(parts[i]); },
      [](const std::string& left, const std::string& right, bool) {
        return absl::StrCat("(", left, "+", right, ")");
      });
  EXPECT_EQ(sum, Text({0, 12}));
}

}  // namespace
}  // namespace langevin::distributed
